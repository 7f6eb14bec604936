/** Heartbeats for activities that take long. */
import { Context } from '@temporalio/activity';

/** So that two may be lost before the shortest timeout, 4 s. */
const BEAT_MS = 1_200;

/** First beat of what has mostly ended by then: a beat costs the server a write. ms */
export const FIRST_BEAT_MS = 1_000;

/**
 * Runs `work` with a heartbeat, whose details stay `details`.
 * @param firstMs - until the first one. Each costs the server a write, which short work can do without.
 */
export async function beating<T>(work: () => Promise<T>, details?: unknown, firstMs = 0): Promise<T> {
  const context = Context.current();
  let timer: NodeJS.Timeout | undefined;
  const beat = () => {
    context.heartbeat(details);
    timer = setTimeout(beat, BEAT_MS);
  };
  if (firstMs > 0) timer = setTimeout(beat, firstMs);
  else beat();
  try {
    return await work();
  } finally {
    clearTimeout(timer);
  }
}
