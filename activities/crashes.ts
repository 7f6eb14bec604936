/** A request that kills its worker again and again is given up instead of being tried for ever. */
import { Context } from '@temporalio/activity';
import { beating, FIRST_BEAT_MS } from './beat.ts';

/** Crashes of one activity after which it is given up: something in it kills workers. */
const MAX_CRASHES = 5;

/**
 * Runs `work` with a heartbeat. An attempt that ends by itself takes its mark back; what is left are those that died.
 * @param givenUp - answers in its place after so many crashes.
 */
export async function countingCrashes<T>(work: () => Promise<T>, givenUp: (crashes: number) => Promise<T>): Promise<T> {
  const context = Context.current();
  const { attempt, heartbeatDetails } = context.info;
  const crashes = readCrashes(heartbeatDetails, attempt);
  if (crashes >= MAX_CRASHES) return await givenUp(crashes);
  try {
    return await beating(work, { crashes: crashes + 1 }, attempt === 1 ? FIRST_BEAT_MS : 0);
  } catch (error) {
    context.heartbeat({ crashes });
    throw error;
  }
}

/** Without a mark all earlier attempts died before they could leave one: the first does so late. */
function readCrashes(details: unknown, attempt: number): number {
  const crashes = typeof details === 'object' && details !== null ? Reflect.get(details, 'crashes') : undefined;
  return typeof crashes === 'number' ? crashes : attempt - 1;
}
