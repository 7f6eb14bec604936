/**
 * One step in the making: a copy of the state that may be changed, the entries it appends, the commands it gives.
 * Pure: the time comes in as an argument.
 */
import type { BlobPart, LogEntry, PrivatePart } from '../../events/entry.ts';
import { eventIdAt } from '../../events/ids.ts';
import type { SessionEvent } from '../../events/wire.ts';
import type { Compact, SessionAnswer, SessionSettings } from '../contract.ts';
import type { Evaluation } from '../grading-contract.ts';
import type { Call, SessionState } from '../state.ts';

/** What the reducer asks the shell to do. */
export type Command =
  | { do: 'sample'; request: number; startSeq: number; compact?: Compact }
  | { do: 'abortSample'; request: number }
  | { do: 'execute'; call: Call }
  | { do: 'stopCalls'; ids: string[] }
  /** Comes back as `woke` with the same request. */
  | { do: 'sleep'; ms: number; request: number }
  /** Comes back as `graceOver` with the same turn number. */
  | { do: 'grace'; ms: number; turn: number }
  /** Comes back as `collected`, and as `collectLate` when that takes longer than `waitMs`. */
  | { do: 'collect'; turn: number; changes: number; waitMs: number }
  /** Comes back as `graded`; until then `stillGrading` from time to time. */
  | { do: 'grade'; evaluation: Evaluation }
  /** Breaks the open evaluation off; it comes back as `graded` all the same. */
  | { do: 'stopGrading' }
  | { do: 'provision' }
  | { do: 'checkpoint' }
  /** Comes back as `idleElapsed` with the same turn number. */
  | { do: 'idleTimer'; ms: number; turn: number }
  /** With `save`, only after a checkpoint has been taken. */
  | { do: 'release'; save: boolean };

export interface Draft {
  state: SessionState;
  settings: SessionSettings;
  now: number;
  entries: LogEntry[];
  commands: Command[];
}

/** Thrown inside a step to refuse a request whole; the old state is kept and this becomes the answer. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly answer: Extract<SessionAnswer, { ok: false }>;
  constructor(message: string, status: 400 | 404 | 409 = 400, errorCode?: string) {
    super(message);
    const type = status === 404 ? 'not_found_error' : status === 409 ? 'conflict_error' : 'invalid_request_error';
    this.answer = { ok: false, status, type, message, ...(errorCode ? { error_code: errorCode } : {}) };
  }
}

/** RFC 3339 of the draft's time, moved forward by 1 ms where it would not be later than the last stamp. */
export function stamp(draft: Draft): string {
  const at = Math.max(draft.state.lastAt + 1, draft.now);
  draft.state.lastAt = at;
  return new Date(at).toISOString();
}

/** Distributes over the union, so that each event keeps its own members. */
type Unstamped<E> = E extends SessionEvent ? Omit<E, 'id' | 'processed_at'> : never;

/** Appends an event that the workflow itself makes, with its id and stamp. */
export function append(
  draft: Draft,
  event: Unstamped<SessionEvent>,
  extra: { private?: PrivatePart; blobs?: BlobPart[] } = {},
): { id: string; seq: number; processed_at: string } {
  const { thread, seq } = draft.state;
  const id = eventIdAt(thread, seq);
  const processed_at = stamp(draft);
  appendWhole(draft, { ...event, id, processed_at } as SessionEvent, extra);
  return { id, seq, processed_at };
}

/** Appends an event that already has its id and stamp (an inbound one may have no stamp yet). */
export function appendWhole(
  draft: Draft,
  event: SessionEvent,
  extra: { private?: PrivatePart; blobs?: BlobPart[] } = {},
): number {
  const seq = draft.state.seq++;
  draft.entries.push({
    thread: draft.state.thread,
    seq,
    event,
    ...(extra.private ? { private: extra.private } : {}),
    ...(extra.blobs?.length ? { blobs: extra.blobs } : {}),
  });
  return seq;
}

/** Appends the second appearance of an inbound event. */
export function markProcessed(draft: Draft, of: number): void {
  const processed_at = stamp(draft);
  draft.entries.push({ thread: draft.state.thread, seq: draft.state.seq++, of, processed_at });
}
