/**
 * The errors of the Messages API, as it words them. Thrown where a request is judged, turned into an answer in
 * `server.ts` and nowhere else.
 */

const TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  500: 'api_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The error type that goes with an HTTP status. */
export function errorType(status: number): string {
  return TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
}

/** An answer that is an error: what the API says, with which status. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  readonly type: string;
  readonly headers: Record<string, string>;
  readonly details?: object;
  constructor(
    status: number,
    message: string,
    options: { type?: string; headers?: Record<string, string>; details?: object } = {},
  ) {
    super(message);
    this.status = status;
    this.type = options.type ?? errorType(status);
    this.headers = options.headers ?? {};
    this.details = options.details;
  }
}

/** A request that the API refuses, with the path of what is wrong in front of the reason. */
export function invalid(message: string): ApiError {
  return new ApiError(400, message);
}

/** The body of an error, in an HTTP answer and in an `error` event alike. */
export function errorBody(type: string, message: string, requestId: string, details?: object): object {
  return { type: 'error', error: { type, message, ...(details && { details }) }, request_id: requestId };
}

/** A rehearsal file that cannot be played: every problem with its path in the file. Thrown while loading. */
export class ScriptError extends Error {
  override name = 'ScriptError';
  readonly problems: string[];
  constructor(where: string, problems: string[]) {
    super(`The rehearsal ${where} cannot be played:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}
