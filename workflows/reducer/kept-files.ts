/**
 * What is kept of a sandbox. Before a session shows idle, what its agent left under /mnt/session/outputs is brought out, so
 * that who sees the idle finds the files. The wait is short and only where the sandbox was used; whatever takes longer follows.
 */
import type { StopDetails, StopReason } from '../../events/wire.ts';
import { append, type Draft } from './draft.ts';
import { closeTurn, goOn } from './turn.ts';

/** What became of one look at the outputs; `turn` and `changes` are those of the command that asked for it. */
export interface Collected {
  in: 'collected';
  turn: number;
  changes: number;
  /** Blob with the list of what has been brought out. Absent when it is as before, or nothing could be done. */
  list?: string;
  /** What could not be brought out, and why; for people. */
  problems: string[];
}

/**
 * Asks for the outputs when calls may have changed them since the last time.
 * @param idle - how the turn ends; absent when it only waits for people. @returns true when idle has to wait.
 */
export function outputsFirst(draft: Draft, idle?: { reason: StopReason; details: StopDetails }): boolean {
  const { state, settings } = draft;
  const { turn, sandbox } = state;
  if (!settings.outputs || !turn || !sandbox.ref || sandbox.changes <= (state.outputs?.seen ?? 0)) return false;
  state.outputs = { ...state.outputs, seen: sandbox.changes };
  const { waitMs } = settings.outputs;
  draft.commands.push({ do: 'collect', turn: state.turns, changes: sandbox.changes, waitMs });
  // It shows idle already, while people are asked: what it made follows.
  if (state.status === 'idle') return false;
  turn.phase = 'collecting';
  if (idle) turn.idle = idle;
  return true;
}

export function collected(draft: Draft, result: Collected): void {
  const { state } = draft;
  const seen = Math.max(state.outputs?.seen ?? 0, result.changes);
  state.outputs = { ...state.outputs, seen, ...(result.list ? { list: result.list } : {}) };
  // Nothing follows a session's end.
  if (result.problems.length > 0 && !state.ended) {
    errorAside(draft, `Not everything under /mnt/session/outputs could be brought out:\n${result.problems.join('\n')}`);
  }
  goIdle(draft, result.turn);
}

/** The sandbox's files are more than a checkpoint may hold. Said once, until one succeeds again. */
export function unsaved(draft: Draft, words: string): void {
  const { state } = draft;
  if (state.sandbox.tooLarge || state.ended) return;
  state.sandbox.tooLarge = true;
  errorAside(draft, `The files of the sandbox are not saved, and are lost with it: ${words}`);
}

/** An error that no turn is the worse for. */
function errorAside(draft: Draft, message: string): void {
  // No other status fits better.
  const error = { type: 'unknown_error' as const, message, retry_status: { type: 'exhausted' as const } };
  append(draft, { type: 'session.error', error }, { private: { aside: true } });
}

/** The wait is over, with or without the outputs. Late answers find another turn, or none. */
export function goIdle(draft: Draft, number: number): void {
  const { turn, turns } = draft.state;
  if (turn?.phase !== 'collecting' || turns !== number) return;
  if (turn.idle) return closeTurn(draft, turn.idle.reason, turn.idle.details);
  turn.phase = 'acting';
  goOn(draft);
}
