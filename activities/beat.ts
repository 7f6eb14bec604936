/** Heartbeats for activities that take long. */
import { Context } from '@temporalio/activity';

/** Every 3 s, so that three may be lost before the timeout of 10 s. */
const BEAT_MS = 3_000;

/** Runs `work` with a heartbeat, whose details stay `details`. */
export async function beating<T>(work: () => Promise<T>, details?: unknown): Promise<T> {
  const context = Context.current();
  context.heartbeat(details);
  const timer = setInterval(() => context.heartbeat(details), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
