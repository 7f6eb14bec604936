/**
 * The stored copy of session logs. It can be thrown away and rebuilt from history; readers serve only its gapless
 * prefix.
 */
import type { LogEntry } from '../events/entry.ts';
import type { Carry } from '../workflows/contract.ts';

export interface LogStore {
  /**
   * Stores entries and the row's new state in one transaction and one round trip, and nudges the bus.
   * Entries that are already there are compared: another content under the same seq throws {@link LogConflict}.
   * @returns the head after it.
   */
  append(carry: Carry): Promise<number>;
  /** Last seq of the gapless prefix; -1 when nothing is stored. */
  head(sessionId: string, thread: string): Promise<number>;
  /** Entries `from`..`to` (inclusive, clipped to the head) in order. At most `limit`. */
  read(sessionId: string, thread: string, from: number, to?: number, limit?: number): Promise<LogEntry[]>;
}

/** Thrown by `append` when a seq is already taken by another content: two writers, or a changed history. Never retried. */
export class LogConflict extends Error {
  override name = 'LogConflict';
  readonly seq: number;
  constructor(sessionId: string, thread: string, seq: number) {
    super(
      `Entry ${seq} of thread ${thread} (session ${sessionId}) is already stored with another content. ` +
        'Only one workflow may write a thread; was the database restored from an older copy, or shared by two Temporal namespaces?',
    );
    this.seq = seq;
  }
}
