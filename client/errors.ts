/** What the client's calls throw besides Temporal's own errors. */
import type { Refused } from '../workflows/service-contract.ts';

/** Thrown when Longhand refuses a request; nothing has been done. The same refusals as over HTTP. Not worth a retry. */
export class SessionRefusedError extends Error {
  override name = 'SessionRefusedError';
  /** HTTP's number for it: 400 (wrong), 404 (not there), 409 (in conflict), 413 (too large). */
  readonly status: number;
  /** `invalid_request_error`, `not_found_error`, `conflict_error`, … */
  readonly type: string;
  /** Path of the field that is wrong: `initial_events.0.content`. */
  readonly field?: string;
  /** A machine-readable code, where there is one. */
  readonly code?: string;
  constructor(refused: Refused) {
    super(refused.message);
    this.status = refused.status;
    this.type = refused.type;
    this.field = /^([a-z_][\w.]*): /.exec(refused.message)?.[1];
    this.code = refused.error_code;
  }
}

/** Thrown when no brain of Longhand answered in time. A retry is safe: with the same key where something is made. */
export class BrainAwayError extends Error {
  override name = 'BrainAwayError';
  constructor(what: string, ms: number) {
    super(
      `No brain of Longhand answered ${what} within ${ms / 1000} s. Is one running (\`longhand brain\`), in this ` +
        'Temporal namespace? Its log says more when it has trouble with the store. Repeating the call is safe.',
    );
  }
}
