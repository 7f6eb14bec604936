/** Errors as clients see them: one class, thrown anywhere, turned into an answer in one place. */
import { SessionClosedError } from '../client/session.ts';
import { BlobMissingError } from '../store/blobs/blobs.ts';

export type ErrorType =
  | 'invalid_request_error'
  | 'authentication_error'
  | 'permission_error'
  | 'not_found_error'
  | 'conflict_error'
  | 'request_too_large'
  | 'rate_limit_error'
  | 'timeout_error'
  | 'api_error'
  | 'overloaded_error';

export type ErrorStatus = 400 | 401 | 403 | 404 | 409 | 413 | 429 | 500 | 503 | 504;

export interface ErrorExtras {
  /** A machine-readable code; newer SDKs map it to an exception of its own. */
  code?: string;
  /** Sent as `x-should-retry`: SDKs otherwise repeat every 408, 409, 429 and 5xx. */
  retry?: boolean;
}

/** An answer other than success. `message` is shown to the caller: it names the field and what to do. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: ErrorStatus;
  readonly type: ErrorType;
  readonly code?: string;
  readonly retry?: boolean;
  constructor(status: ErrorStatus, type: ErrorType, message: string, extras: ErrorExtras = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.code = extras.code;
    this.retry = extras.retry;
  }
}

/** 400. @param field - path of the field, such as `tools.0.name`; empty when the request as a whole is wrong. */
export function invalid(field: string, message: string, code?: string): ApiError {
  return new ApiError(400, 'invalid_request_error', field ? `${field}: ${message}` : message, { code });
}

/** 400 for what the API knows and Longhand does not do yet: refused where it is used, never ignored. */
export function notYet(field: string, what: string): ApiError {
  return invalid(field, `${what} not supported by this version of Longhand.`);
}

/** 404, also for another workspace's objects. */
export function notFound(what: string, id: string): ApiError {
  return new ApiError(404, 'not_found_error', `${what} ${id} was not found.`);
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
  return new ApiError(
    500,
    'api_error',
    'Internal error; the log of the api process has the cause under this request id.',
  );
}
