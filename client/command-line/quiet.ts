/** Tells when a session has nothing more to do by itself, from its events. */
import type {
  BetaManagedAgentsSessionStatusIdleEvent as IdleEvent,
  BetaManagedAgentsStreamSessionEvents as StreamEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions';
import { EXIT } from './context.ts';

export type StopReason = IdleEvent['stop_reason'];

export interface Quiet {
  /** Takes the next event. @returns true when the session is idle and nothing that was sent waits. */
  after(event: StreamEvent): boolean;
  /** Of the last idle; undefined before the first turn. */
  reason: StopReason | undefined;
}

/**
 * A message that waits behind a turn is taken in with the next one: the idle between the two is not the end.
 * @param awaited - ids of events that must have come first: what was sent, or what was newest.
 * @param atIdle - only an idle that comes after them counts, not one that was there before.
 */
export function createQuiet(awaited: string[], atIdle: boolean): Quiet {
  const missing = new Set(awaited);
  /** Sent, and not taken in yet. */
  const waiting = new Set<string>();
  let idle = true;
  const quiet: Quiet = {
    reason: undefined,
    after(event) {
      if (event.type === 'event_start' || event.type === 'event_delta') return false;
      missing.delete(event.id);
      if (event.type === 'user.message' || event.type === 'user.interrupt') {
        if (event.processed_at) waiting.delete(event.id);
        else waiting.add(event.id);
      }
      if (event.type === 'session.status_running' || event.type === 'session.status_rescheduled') idle = false;
      if (event.type === 'session.status_idle') {
        idle = true;
        quiet.reason = event.stop_reason;
      }
      if (atIdle && event.type !== 'session.status_idle') return false;
      return idle && missing.size === 0 && waiting.size === 0;
    },
  };
  return quiet;
}

/** The exit code for how a turn ended: done, waiting for an answer, or failed. */
export function exitCodeOf(reason: StopReason | undefined): number {
  if (reason === undefined || reason.type === 'end_turn') return EXIT.done;
  return reason.type === 'requires_action' ? EXIT.waits : EXIT.failed;
}
