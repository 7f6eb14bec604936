/** What failed activities mean, in words for a model or a log. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { SANDBOX_GONE } from './contract.ts';

/** True when the hands say that the sandbox is no more. */
export function isGone(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof ApplicationFailure && cause.type === SANDBOX_GONE;
}

/** True when no worker ever took the task: the call had no effect. */
export function neverTaken(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START';
}

/** The innermost message, for a person. */
export function reason(error: unknown): string {
  if (neverTaken(error)) return 'no hands worker for this target took the call in time; is one running?';
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}
