/**
 * A file that says a part takes work, for whoever watches the process from beside it, such as a Kubernetes probe: it is
 * there from the moment that work is taken until it is told to stop, and its time is renewed while that is so. (A worker
 * whose server refused it was seen to hang instead of ending: it must not look alive.)
 */
import { rm, utimes, writeFile } from 'node:fs/promises';

const EVERY_MS = 5_000;

/**
 * @param path - its folder must exist; undefined: nothing is kept.
 * @param takesWork - asked before each renewal.
 * @returns takes the file away. Safe to repeat.
 */
export async function keepReadyFile(
  path: string | undefined,
  takesWork: () => boolean = () => true,
): Promise<() => Promise<void>> {
  if (path === undefined) return async () => undefined;
  await writeFile(path, `${process.pid}\n`);
  const timer = setInterval(() => {
    if (!takesWork()) return;
    const now = new Date();
    // A disk that cannot be written to for a moment is no reason to end: a file that stays old says it all.
    utimes(path, now, now).catch(() => undefined);
  }, EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    // One that cannot be taken away grows old; the stop goes on.
    await rm(path, { force: true }).catch(() => undefined);
  };
}
