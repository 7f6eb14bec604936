/**
 * Read your writes: a post is answered when history holds it, a moment before the store does. This process remembers how
 * far each session's log must reach, and reads wait for that.
 */
import type { LogStore } from '../store/log.ts';

const WAIT_MS = 2_000;
const LONGEST_PAUSE_MS = 25;
/** Sessions remembered; the oldest is forgotten first. */
const KEPT = 10_000;

export interface Accepted {
  /** This process has answered for entries up to `seq`. */
  note(sessionId: string, seq: number): void;
  /** The highest seq answered for, or -1. */
  of(sessionId: string): number;
  /** Waits until the store holds it, 2 s at most. @returns false when it does not. */
  stored(sessionId: string, thread: string): Promise<boolean>;
}

export function createAccepted(logStore: LogStore): Accepted {
  const highest = new Map<string, number>();
  const of = (sessionId: string) => highest.get(sessionId) ?? -1;
  return {
    of,
    note(sessionId, seq) {
      const before = of(sessionId);
      highest.delete(sessionId);
      highest.set(sessionId, Math.max(before, seq));
      if (highest.size <= KEPT) return;
      for (const oldest of highest.keys()) {
        highest.delete(oldest);
        break;
      }
    },
    async stored(sessionId, thread) {
      const seq = of(sessionId);
      if (seq < 0) return true;
      return await until(async () => (await logStore.head(sessionId, thread)) >= seq, WAIT_MS);
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
