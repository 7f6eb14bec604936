/** A request that kills its worker again and again is given up instead of being tried for ever. */
import { Context } from '@temporalio/activity';
import { beating } from './beat.ts';

/** Crashes of one activity after which it is given up: something in it kills workers. */
const MAX_CRASHES = 5;

/**
 * Runs `work` with a heartbeat. An attempt that ends by itself takes its mark back; what is left are those that died.
 * @param givenUp - answers in its place after so many crashes.
 */
export async function countingCrashes<T>(work: () => Promise<T>, givenUp: (crashes: number) => Promise<T>): Promise<T> {
  const context = Context.current();
  const crashes = readCrashes(context.info.heartbeatDetails);
  if (crashes >= MAX_CRASHES) return await givenUp(crashes);
  try {
    return await beating(work, { crashes: crashes + 1 });
  } catch (error) {
    context.heartbeat({ crashes });
    throw error;
  }
}

function readCrashes(details: unknown): number {
  const crashes = typeof details === 'object' && details !== null ? Reflect.get(details, 'crashes') : 0;
  return typeof crashes === 'number' ? crashes : 0;
}
