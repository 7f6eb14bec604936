/** Errors as clients see them: one class, thrown anywhere, turned into an answer in one place. */
import { SessionClosedError } from '../client/session.ts';
import { BlobMissingError } from '../store/blobs/blobs.ts';

export const ERROR_TYPES = [
  'invalid_request_error',
  'authentication_error',
  'permission_error',
  'not_found_error',
  'conflict_error',
  'request_too_large',
  'rate_limit_error',
  'timeout_error',
  'api_error',
  'overloaded_error',
] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];

export type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 416 | 429 | 500 | 503 | 504;

export interface ErrorExtras {
  /** A machine-readable code; newer SDKs map it to an exception of its own. */
  code?: string;
  /** Sent as `x-should-retry`: SDKs otherwise repeat every 408, 409, 429 and 5xx. */
  retry?: boolean;
  /** Sent as `allow`: the methods that the path has. */
  allow?: string;
}

/** An answer other than success. `message` is shown to the caller: it names the field and what to do. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: ErrorStatus;
  readonly type: ErrorType;
  readonly code?: string;
  readonly retry?: boolean;
  readonly allow?: string;
  constructor(status: ErrorStatus, type: ErrorType, message: string, extras: ErrorExtras = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.code = extras.code;
    this.retry = extras.retry;
    this.allow = extras.allow;
  }
}

/** A client's own words come back to it, but not megabytes of them. Characters. */
const MAX_FIELD = 300;
const MAX_MESSAGE = 2_000;

function clip(words: string, most: number): string {
  return words.length > most ? `${words.slice(0, most).toWellFormed()}…` : words;
}

/** 400. @param field - path of the field, such as `tools.0.name`; empty when the request as a whole is wrong. */
export function invalid(field: string, message: string, code?: string): ApiError {
  const at = clip(field, MAX_FIELD);
  return new ApiError(400, 'invalid_request_error', clip(at ? `${at}: ${message}` : message, MAX_MESSAGE), { code });
}

/** 400 for what the API knows and Longhand does not do yet: refused where it is used, never ignored. */
export function notYet(field: string, what: string): ApiError {
  return invalid(field, `${what} not supported by this version of Longhand.`);
}

/** 404, also for another workspace's objects. */
export function notFound(what: string, id: string, code?: string): ApiError {
  return new ApiError(404, 'not_found_error', `${what} ${id} was not found.`, { code });
}

/** 409 that another attempt would not mend. */
export function conflict(message: string): ApiError {
  return new ApiError(409, 'conflict_error', message, { retry: false });
}

export interface ErrorBody {
  type: 'error';
  error: { type: ErrorType; message: string; details?: { error_code: string } };
  request_id: string;
}

export function errorBody(error: ApiError, requestId: string): ErrorBody {
  const details = error.code === undefined ? {} : { details: { error_code: error.code } };
  return { type: 'error', error: { type: error.type, message: error.message, ...details }, request_id: requestId };
}

/** The border: whatever was thrown becomes an {@link ApiError}; what we did not expect says nothing of itself. */
export function ensureApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof SessionClosedError) {
    return invalid('', `Session ${error.sessionId} has ended; it takes no more events.`);
  }
  if (error instanceof BlobMissingError) return new ApiError(500, 'api_error', error.message, { retry: false });
  const away = whatIsAway(error);
  if (away)
    return new ApiError(503, 'api_error', `${away} cannot be reached right now; repeating the request is safe.`);
  return new ApiError(
    500,
    'api_error',
    'Internal error; the log of the api process has the cause under this request id.',
  );
}

/**
 * An error as the log may hold it: messages of failed queries name their values, and those are what clients sent.
 */
export function loggable(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  if (error.message.startsWith('Failed query') && error.cause) return loggable(error.cause);
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return { name: error.name, message: error.message, code: Reflect.get(error, 'code'), at: frames.slice(0, 8) };
}

/** gRPC: deadline exceeded, unavailable. */
const GRPC_AWAY = [4, 14];
/** Sockets that nobody listens on, and PostgreSQL's words for starting, stopping and full. */
const DATABASE_AWAY = ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', '57P01', '57P02', '57P03', '53300', '08006'];

/** Names the part that a failure came from, when it is one that comes back. */
function whatIsAway(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const code: unknown = Reflect.get(cause, 'code');
    if (typeof code === 'number' && GRPC_AWAY.includes(code)) return 'Temporal';
    const call: unknown = Reflect.get(cause, 'syscall');
    if (typeof code === 'string' && DATABASE_AWAY.includes(code) && call !== 'open') return 'The database';
    if (cause.message.includes('timeout exceeded when trying to connect')) return 'The database';
  }
  return undefined;
}
