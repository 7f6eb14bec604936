/**
 * The first line of the limits, from inside: it ends a process of the agent's before the host has to end the sandbox.
 * Memory and processes are looked at every 200 ms, memory more often where it may run out; files are counted while
 * something runs, and soon when so many were made that they may be too many.
 */
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { allPids, killAllAgentProcesses } from './agent-processes.ts';
import { watchNewFiles } from './new-files.ts';
import { AGENT_UID, PATH, type ServerConfig } from './protocol.ts';

const LOOK_MS = 200;
/** While more than half of the memory is used: a process can take the rest within a fifth of a second. */
const NEAR_LOOK_MS = 25;
/** While nothing of the agent's runs: nothing can grow then, and each look wakes the sandbox. */
const IDLE_LOOK_MS = 10_000;
/** A process count near the limit for this many looks in a row is a fork bomb, or as good as one. */
const FULL_LOOKS = 8;
const COUNT_FILES_MS = 2_000;
/** Far below the limit: what can be made meanwhile is still below it. */
const LONGEST_COUNT_MS = 20_000;
/** Files a second that a sandbox makes at most: 44,000 were seen, and 129,000 hard links, which cost it a fraction. */
const MOST_NEW_FILES = 50_000;
/** Counting may take this share of the time, where nothing says that there are too many. */
const COUNT_SHARE = 0.05;
/** Where something does: somebody makes and removes files close to the limit, or it is passed. */
const URGENT_COUNT_SHARE = 0.3;

export interface Guard {
  /** What was ended since then (ms since the epoch), in words for the model. */
  since(ms: number): string[];
  /** A call begins: looks become frequent again. */
  wake(): void;
}

interface Work {
  /** Whether a call runs, or was made since it was asked last. */
  since(): boolean;
  /** Whether a process is one of ours under the agent's uid, which waits for calls. */
  isOurs(pid: number): boolean;
}

export function startGuard(
  { memoryBytes, pids, inodes, countIn }: Pick<ServerConfig, 'memoryBytes' | 'pids' | 'inodes' | 'countIn'>,
  work: Work,
): Guard {
  const events: { at: number; text: string }[] = [];
  const tell = (text: string) => {
    events.push({ at: Date.now(), text });
    if (events.length > 100) events.shift();
  };

  /** As of the last look. */
  let idle = false;
  let fullLooks = 0;
  let near = false;
  const lookAtMemory = async () => {
    const used = usedMemory();
    near = used > memoryBytes / 2;
    const victim = used > memoryBytes ? largest(agentPids()) : undefined;
    if (victim === undefined) return;
    kill(victim);
    tell(`A process was killed: the sandbox's memory limit of ${mib(memoryBytes)} MiB was reached.`);
  };
  const lookAtProcesses = async () => {
    const agents = agentPids();
    idle = !work.since() && agents.every(work.isOurs);
    fullLooks = agents.length >= pids * 0.9 ? fullLooks + 1 : 0;
    if (fullLooks >= FULL_LOOKS) {
      fullLooks = 0;
      tell(`All processes were killed: the limit of ${pids} processes was reached.`);
      await killAllAgentProcesses();
    }
  };

  const numbers = countIn ? undefined : watchNewFiles('/root');
  /** As counted last. */
  let files = 0;
  /** Made since then, removed or not, as far as numbers tell. */
  let made = 0;
  let [nextCount, nextUrgentCount] = [0, 0];
  /** Since files were counted last. */
  let worked = false;
  const countFiles = async () => {
    worked ||= !idle;
    if (!worked) return;
    made += numbers?.() ?? 0;
    if (Date.now() < (files + made > inodes ? nextUrgentCount : nextCount)) return;
    worked = false;
    made = 0;
    const [began, before] = [Date.now(), files];
    files = await fileCount(countIn ?? ['/']);
    const took = Date.now() - began;
    // Counting starts three processes, 100 ms of a processor: thirty sandboxes at work would keep one busy with it.
    // Also where numbers tell of files: a hard link has none of its own, and costs a quarter of what a file does.
    const farMs = Math.min(LONGEST_COUNT_MS, ((inodes - files) / MOST_NEW_FILES) * 1_000);
    nextCount = Date.now() + Math.max(COUNT_FILES_MS, farMs, took / COUNT_SHARE);
    nextUrgentCount = Date.now() + took / URGENT_COUNT_SHARE;
    // Only what makes more of them: removing files must be possible.
    if (files > inodes && files > before) {
      tell(`All processes were killed: the limit of ${inodes} files was reached. Remove some.`);
      await killAllAgentProcesses();
    }
  };

  const pause = () => (idle ? IDLE_LOOK_MS : LOOK_MS);
  const memoryPause = () => (near && !idle ? NEAR_LOOK_MS : pause());
  const loops = [every(memoryPause, lookAtMemory), every(pause, lookAtProcesses), every(pause, countFiles)];
  const wake = () => {
    worked = true;
    if (!idle) return;
    idle = false;
    for (const loop of loops) loop.soon();
  };
  return { wake, since: (ms) => [...new Set(events.filter(({ at }) => at >= ms).map(({ text }) => text))] };
}

/** Acts again and again. `soon` ends a pause that was begun before it became shorter. */
function every(pause: () => number, act: () => Promise<void>): { soon(): void } {
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    timer = setTimeout(again, pause());
  };
  const again = () => {
    timer = undefined;
    act()
      // Out of processes or files for a moment: the next look is soon.
      .catch(() => undefined)
      .finally(next);
  };
  next();
  return {
    soon() {
      // One that acts just now looks at the pause when it has ended.
      if (timer === undefined) return;
      clearTimeout(timer);
      next();
    },
  };
}

/** Bytes that processes and files in memory use; not what is mapped of the host's files. */
function usedMemory(): number {
  const text = readFileSync('/proc/meminfo', 'latin1');
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return (kib('MemTotal') - kib('MemFree') - kib('Cached')) * 1024;
}

function agentPids(): number[] {
  return allPids().filter((pid) => {
    // Where this program has the agent's uid: neither it nor the first process is the agent's to lose.
    if (pid === process.pid || pid === 1) return false;
    try {
      return statSync(`/proc/${pid}`).uid === AGENT_UID;
    } catch {
      return false;
    }
  });
}

function largest(pids: number[]): number | undefined {
  let found: { pid: number; pages: number } | undefined;
  for (const pid of pids) {
    const pages = residentPages(pid);
    if (!found || pages > found.pages) found = { pid, pages };
  }
  return found?.pid;
}

/** proc_pid_statm(5), second field. */
function residentPages(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
  } catch {
    return 0;
  }
}

/** Everything in the agent's folders; `find` counts 400,000 a second. */
async function fileCount(folders: string[]): Promise<number> {
  const command = 'find "$@" -xdev -not -user nobody -printf . 2>/dev/null | wc -c';
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command, 'sh', ...folders], {
    env: { PATH },
    cwd: '/',
  });
  return Number(stdout);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}
