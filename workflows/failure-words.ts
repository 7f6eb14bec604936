/** What failed activities mean, in words for a model or a log. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import { CHECKPOINT_TOO_LARGE, SANDBOX_GONE } from './contract.ts';

/** True when the hands say that the sandbox is no more. */
export function isGone(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof ApplicationFailure && cause.type === SANDBOX_GONE;
}

/** True when the files of a sandbox are more than a checkpoint may hold. */
export function isTooLarge(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof ApplicationFailure && cause.type === CHECKPOINT_TOO_LARGE;
}

/** Of a sandbox that only one machine can reach. */
export const MACHINE_GONE = 'No hands worker of its machine took the call in time.';

/**
 * Set when no worker took the task in time. `taken`: one had taken it before, and died with it (it left a heartbeat
 * behind), so the call may have had effects.
 */
export function waitedInVain(error: unknown): { taken: boolean } | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof TimeoutFailure) || cause.timeoutType !== 'SCHEDULE_TO_START') return undefined;
  return { taken: cause.lastHeartbeatDetails !== undefined };
}

/** The innermost message, for a person. */
export function reason(error: unknown): string {
  if (waitedInVain(error)) return 'no hands worker for this target took the call in time; is one running?';
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}
