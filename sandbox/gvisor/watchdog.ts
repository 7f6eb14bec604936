/**
 * Memory is looked at from outside, and a sandbox above its limit is ended. Control groups bound what it takes between
 * two looks; where none are to be had, looks are frequent, and CPUs are limited by affinity, which takes whole ones only.
 * (Rootless `runsc` takes limits and ignores them.)
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { SandboxLimits } from '../hands.ts';
import { memoryOfCgroup, OWN_MEMORY_BYTES } from './cgroup.ts';
import type { SandboxRecord } from './records.ts';

/** Between two looks, ms: while less than half of the limit is used, where a control group bounds the rest; else. */
const CALM_LOOK_MS = 1_000;
const LOOK_MS = 100;
const LOOK_WITHOUT_GROUP_MS = 200;

/** Calls `over` once when the sandbox uses more than its limit. Returns how to stop watching. */
export function watchMemory(record: SandboxRecord, over: (reason: string) => void): () => void {
  const limit = record.limits.memoryBytes + OWN_MEMORY_BYTES;
  const { cgroups } = record;
  const measure = cgroups ? () => memoryOfCgroup(cgroups, record.id) : () => memoryOf(record);
  let timer: NodeJS.Timeout;
  const look = () => {
    const used = measure() ?? 0;
    if (used > limit) {
      const mib = (bytes: number) => Math.round(bytes / 1024 ** 2);
      over(`it used ${mib(used)} MiB of memory, more than the ${mib(limit)} MiB of its limit and gVisor's own`);
      return;
    }
    // The kernel of a group that is full may kill any part of a sandbox, and the rest would hang: we are to be first.
    const pause = cgroups ? (used > limit / 2 ? LOOK_MS : CALM_LOOK_MS) : LOOK_WITHOUT_GROUP_MS;
    timer = setTimeout(look, pause).unref();
  };
  look();
  return () => clearTimeout(timer);
}

/** Bytes of a sandbox: its memory file, and the heaps of gVisor's two processes; undefined when it has ended. */
export function memoryOf({ pid, goferPid }: SandboxRecord): number | undefined {
  try {
    return memoryFileBytes(pid) + anonymousBytes(pid) + (goferPid > 0 ? anonymousBytes(goferPid) : 0);
  } catch {
    return undefined;
  }
}

/**
 * The words before `runsc` that limit its CPUs, for `taskset`.
 * @throws Error for a fraction: affinity cannot give half a CPU, and a limit is never ignored.
 */
export function affinityPrefix({ cpus }: SandboxLimits, id: string): string[] {
  const all = allowedCpus();
  if (cpus >= availableParallelism()) return [];
  if (!Number.isInteger(cpus) || cpus < 1) {
    throw new Error(
      `A limit of ${cpus} CPUs needs control groups, and this user has none. Use a whole number, or start Longhand in ` +
        'a delegated group: systemd-run --user --scope -p Delegate=yes …',
    );
  }
  // Not the same ones for every sandbox.
  const first = [...id].reduce((sum, char) => sum + char.charCodeAt(0), 0) % all.length;
  const chosen = Array.from({ length: cpus }, (_, index) => all[(first + index) % all.length]);
  return ['/usr/bin/taskset', '--cpu-list', chosen.join(',')];
}

function allowedCpus(): number[] {
  const list = /^Cpus_allowed_list:\s+(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** All of the agent's memory is pages of one memfd. */
function memoryFileBytes(pid: number): number {
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const path = `/proc/${pid}/fd/${fd}`;
    const target = linkOf(path);
    if (target?.startsWith('/memfd:runsc-memory')) return statSync(path).blocks * 512;
  }
  return 0;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** proc_pid_status(5), RssAnon. */
function anonymousBytes(pid: number): number {
  const kib = /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0;
  return Number(kib) * 1024;
}
