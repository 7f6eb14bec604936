/** What a killed run left in a data folder: a `postmaster.pid`, and perhaps a server that still runs without a parent. */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const STOP_MS = 20_000;

/**
 * Stops the server that still runs on this folder and removes a stale `postmaster.pid`. A pid alone proves nothing (it
 * may be another program's by now): a process belongs to the old server only if it is called `postgres` and works in
 * this very folder.
 * @throws Error when the old server does not end.
 */
export async function clearEarlierServer(dataDir: string): Promise<void> {
  const file = join(dataDir, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const pid = Number.parseInt(text, 10);
  if (await isServerOf(pid, dataDir)) process.kill(pid, 'SIGINT');
  const deadline = Date.now() + STOP_MS;
  // Backends of a killed postmaster may be busy for a moment longer; a new server refuses to start beside them.
  for (;;) {
    const left = await serverProcesses(dataDir);
    if (left.length === 0) break;
    if (Date.now() > deadline) {
      throw new Error(
        `An earlier PostgreSQL (processes ${left.join(', ')}) still uses ${dataDir} and did not stop within ` +
          `${STOP_MS / 1000} s. Stop it with "kill -QUIT ${left.join(' ')}", then start again.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await rm(file, { force: true });
}

async function serverProcesses(dataDir: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid) && (await isServerOf(pid, dataDir))) found.push(pid);
  }
  return found;
}

async function isServerOf(pid: number, dataDir: string): Promise<boolean> {
  if (!(pid > 1)) return false;
  try {
    const name = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
    if (name !== 'postgres') return false;
    const [cwd, folder] = [await stat(`/proc/${pid}/cwd`), await stat(dataDir)];
    return cwd.dev === folder.dev && cwd.ino === folder.ino;
  } catch {
    return false;
  }
}
