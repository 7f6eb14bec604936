/**
 * Read your writes: a post is answered when history holds it, a moment before the store does. The session's row says how
 * far its log must reach for that, whichever api answered, and reads wait until it does.
 */
import type { Queries } from '../store/database.ts';
import type { LogStore } from '../store/log.ts';
import { markAccepted, type SessionRow } from '../store/sessions.ts';

const WAIT_MS = 2_000;
const LONGEST_PAUSE_MS = 25;

export interface Accepted {
  /** To be called before entries up to `seq` are answered for. */
  note(row: Pick<SessionRow, 'id'>, seq: number): Promise<void>;
  /** Waits until the store holds what had been answered for when `row` was read, 2 s at most. @returns false when it does not. */
  stored(row: Pick<SessionRow, 'id' | 'thread' | 'acceptedSeq'>): Promise<boolean>;
}

export function createAccepted(db: Queries, logStore: LogStore): Accepted {
  return {
    note: (row, seq) => markAccepted(db, row.id, seq),
    async stored({ id, thread, acceptedSeq }) {
      if (acceptedSeq < 0) return true;
      return await until(async () => (await logStore.head(id, thread)) >= acceptedSeq, WAIT_MS);
    },
  };
}

/** Asks again and again, with growing pauses, until `done` or until `ms` have passed. @returns the last answer. */
export async function until(done: () => Promise<boolean>, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  for (let pause = 2; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    if (await done()) return true;
    if (performance.now() + pause > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
