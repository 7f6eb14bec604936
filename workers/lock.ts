/**
 * A lock between processes that the kernel lets go of when its holder dies, however it dies: an exclusive transaction on
 * an SQLite file, which is a POSIX record lock. There are no stale locks, and no pid to compare.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

export interface Lock {
  /** Lets go. Safe to repeat. */
  release(): void;
}

/**
 * Takes the lock, or returns undefined when another process has it. A process must not take one lock twice.
 * @param path - of the lock file, made when it is not there; its folder must be on a local disk.
 */
export function tryLock(path: string): Lock | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    // SQLITE_BUSY
    if ((error as { errcode?: number }).errcode === 5) return undefined;
    throw error;
  }
  writeFileSync(`${path}.pid`, `${process.pid}\n`);
  let held = true;
  const release = () => {
    if (held) database.close();
    held = false;
  };
  return { release };
}

/** Process id of the lock's last taker, for messages only. */
export function lockHolder(path: string): string {
  try {
    return readFileSync(`${path}.pid`, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** Takes the lock, waiting for as long as another process has it. `onWait` is called once, before the first pause. */
export async function waitForLock(path: string, onWait: () => void): Promise<Lock> {
  for (let tries = 0; ; tries++) {
    const lock = tryLock(path);
    if (lock !== undefined) return lock;
    if (tries === 0) onWait();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
