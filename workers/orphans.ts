/**
 * Children that outlived a parent which was ended by SIGKILL. Each child has a file with its process id and the moment
 * it started, as the kernel counts it: a process that got the same id later is never taken for it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

const TERM_MS = 5_000;

interface Identity {
  pid: number;
  /** Boot id and start time in clock ticks since boot (proc(5), stat, field 22). */
  started: string;
}

/** Remembers a child, at once: the file is there when this returns. */
export function recordChild(folder: string, name: string, pid: number): void {
  const started = startOf(pid);
  if (started === undefined) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(file(folder, name), `${JSON.stringify({ pid, started })}\n`, { mode: 0o600 });
}

export async function forgetChild(folder: string, name: string): Promise<void> {
  await rm(file(folder, name), { force: true });
}

/** Process id of a child that runs now, e.g. to kill it in a demonstration. */
export async function childPid(folder: string, name: string): Promise<number | undefined> {
  const identity = await readIdentity(folder, name);
  return identity && isAlive(identity) ? identity.pid : undefined;
}

/**
 * Ends what an earlier run left: SIGTERM, and SIGKILL after 5 s.
 * @returns the names of the children that were ended.
 */
export async function endOrphans(folder: string): Promise<string[]> {
  const names = (await readdir(folder).catch(() => []))
    .filter((name) => name.endsWith('.pid'))
    .map((name) => name.slice(0, -'.pid'.length));
  const ended = await Promise.all(names.map(async (name) => ((await endOrphan(folder, name)) ? [name] : [])));
  return ended.flat();
}

async function endOrphan(folder: string, name: string): Promise<boolean> {
  const identity = await readIdentity(folder, name);
  let found = false;
  for (const [signal, patience] of [
    ['SIGTERM', TERM_MS],
    ['SIGKILL', TERM_MS],
  ] as const) {
    if (identity === undefined || !isAlive(identity)) break;
    found = true;
    process.kill(identity.pid, signal);
    const deadline = Date.now() + patience;
    while (Date.now() < deadline && isAlive(identity)) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await forgetChild(folder, name);
  return found;
}

function file(folder: string, name: string): string {
  return join(folder, `${name}.pid`);
}

async function readIdentity(folder: string, name: string): Promise<Identity | undefined> {
  try {
    const { pid, started } = JSON.parse(await readFile(file(folder, name), 'utf8')) as Partial<Identity>;
    return typeof pid === 'number' && pid > 1 && typeof started === 'string' ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(identity: Identity): boolean {
  return startOf(identity.pid) === identity.started;
}

/** undefined for a process that is gone, or that has ended and only waits for its parent to notice. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${fields[19]}`;
  } catch {
    return undefined;
  }
}
