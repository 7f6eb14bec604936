/**
 * Rounds of a session on this worker. While its only call runs, a publish has stored what it carries at once, and then
 * gives its answer together with that of the model request that follows: the workflow takes both in one task instead of
 * two, and none of them competes with the call. Nobody waits for the answer, which says only that the window may shrink.
 */

/** Longest wait for the end of the round: another worker may have got the model request. ms */
const LONGEST_MS = 250;

export interface Rounds {
  /** Resolves when a model request of this thread ends here, or soon. */
  end(thread: string): Promise<void>;
  /** A model request has ended. */
  ended(thread: string): void;
}

export function createRounds(longestMs = LONGEST_MS): Rounds {
  const waiting = new Map<string, () => void>();
  return {
    end(thread) {
      // One publish is out per thread; an older one is a retry whose worker was given up.
      waiting.get(thread)?.();
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          if (waiting.get(thread) === done) waiting.delete(thread);
          resolve();
        };
        const timer = setTimeout(done, longestMs);
        waiting.set(thread, done);
      });
    },
    ended: (thread) => waiting.get(thread)?.(),
  };
}
