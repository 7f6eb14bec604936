/** What processes cost: processor time and memory, from /proc (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Clock ticks a second of /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICK_MS = 10;

interface Stat {
  parent: number;
  /** Of the process and of those children of it that have ended, ms. */
  cpuMs: number;
}

/** undefined for a process that has ended. */
function stat(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name stands in parentheses and may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { parent: Number(fields[1]), cpuMs: ticks * TICK_MS };
}

/** These processes and all that descend from them. */
export function withDescendants(roots: number[]): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name)) parents.set(Number(name), stat(Number(name))?.parent ?? 0);
  }
  const found = new Set(roots);
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** Processor time so far of processes and their descendants, ms. */
export function cpuMs(roots: number[]): number {
  return withDescendants(roots).reduce((sum, pid) => sum + (stat(pid)?.cpuMs ?? 0), 0);
}

/**
 * Memory of processes and their descendants, MiB: the proportional set size, which counts a page that several share in
 * parts, so that sums are true.
 */
export function pssMiB(roots: number[]): number {
  const kib = withDescendants(roots).map((pid) => {
    const text = read(`/proc/${pid}/smaps_rollup`) ?? '';
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
  });
  return kib.reduce((sum, one) => sum + one, 0) / 1024;
}

/** The processes of every live sandbox under a data folder; they are nobody's children. */
export function sandboxPids(home: string): number[] {
  const folder = join(home, 'hands/gvisor/sandboxes');
  return list(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(read(join(folder, name)) ?? '{}') as { state?: string; pid?: number; goferPid?: number })
    .filter(({ state }) => state === 'live')
    .flatMap(({ pid, goferPid }) => [pid ?? 0, goferPid ?? 0])
    .filter((pid) => pid > 0);
}

/** Names the processes of a Longhand by what they run, from `ps`-like command lines of this process's descendants. */
export function partPids(root: number): Record<'postgres' | 'temporal' | 'brain' | 'hands' | 'api', number[]> {
  const parts: ReturnType<typeof partPids> = { postgres: [], temporal: [], brain: [], hands: [], api: [] };
  for (const pid of withDescendants([root])) {
    const words = (read(`/proc/${pid}/cmdline`) ?? '').split('\0');
    const program = words[0] ?? '';
    const parent = stat(pid)?.parent ?? 0;
    if (/\/postgres$/.test(program)) parts.postgres.push(pid);
    else if (words.includes('start-dev')) parts.temporal.push(pid);
    else if (words.some((word) => word.endsWith('longhand.mjs'))) {
      for (const part of ['brain', 'hands', 'api'] as const) {
        // Longhand's command runs itself again with its own Node: the child counts with its parent.
        const again = parts[part].includes(parent);
        if (words.includes(part) && !again) parts[part].push(pid);
      }
    }
  }
  return parts;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
