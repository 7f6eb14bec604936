/** What the session's row says, from the state. */
import type { RowSnapshot } from '../contract.ts';
import type { SessionState } from '../state.ts';

/** @param seq - the last entry that is stored together with it. */
export function rowSnapshot(state: SessionState, seq: number): RowSnapshot {
  const seconds = state.activeMs / 1000;
  const iso = (ms: number) => new Date(ms).toISOString();
  return {
    seq,
    status: state.status,
    usage: { ...state.usage, active_seconds: seconds },
    stats: {
      active_seconds: seconds,
      ...(state.ended ? { duration_seconds: Math.max(0, state.ended.at - state.createdAt) / 1000 } : {}),
    },
    updated_at: iso(Math.max(state.lastAt, state.createdAt)),
    archived_at: state.ended ? iso(state.ended.at) : null,
    running_since: state.runningSince === null ? null : iso(state.runningSince),
  };
}
