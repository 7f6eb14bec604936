/**
 * Limits by control groups, version 1 or 2: as root, or in a part of the tree that was delegated to us (a systemd
 * slice). https://docs.kernel.org/admin-guide/cgroup-v2.html
 */
import { existsSync, readFileSync } from 'node:fs';
import { access, constants, mkdir, readdir, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxLimits } from '../hands.ts';
import { kill } from './host-process.ts';

const MOUNT = '/sys/fs/cgroup';
const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;
const PERIOD_US = 100_000;
const SETTLED_MS = 60_000;
/** What gVisor itself needs beside the agent's processes; the tool server keeps those to the limit. */
export const OWN_MEMORY_BYTES = 256 * 1024 ** 2;
/**
 * For pages of programs, which count too where this sandbox read them first: gVisor's 70 MB, Node's 120 and the agent's.
 * Without room for them, a group that is full of memory has its kernel drop and read these pages again and again: two
 * processors were busy with it for 48 s, and nothing was killed. So the watchdog ends a sandbox before its group is full.
 */
const PROGRAM_CACHE_BYTES = 256 * 1024 ** 2;

/** Where sandboxes' groups can be made; undefined when they cannot. */
export type CgroupParent = { version: 1; folders: Record<string, string> } | { version: 2; folder: string };

export interface Cgroup {
  /** Puts a process (and what it starts from then on) into it. */
  join(pid: number): Promise<void>;
  /** Kills what is left in it and removes it. Safe to repeat. */
  remove(): Promise<void>;
}

/** Looks for a place where all three controllers can be used, and tries it. */
export async function findCgroupParent(): Promise<CgroupParent | undefined> {
  const own = ownGroups();
  const parent = existsSync(join(MOUNT, 'cgroup.controllers')) ? await findV2(own['']) : await findV1(own);
  if (!parent) return undefined;
  const trial = await makeCgroup(parent, `trial-${process.pid}`, { memoryBytes: 2 ** 30, cpus: 1, pids: 100 }).catch(
    () => undefined,
  );
  await trial?.remove();
  return trial && parent;
}

export async function makeCgroup(
  parent: CgroupParent,
  name: string,
  limits: Pick<SandboxLimits, 'memoryBytes' | 'cpus' | 'pids'>,
): Promise<Cgroup> {
  const folders = foldersOf(parent, name);
  const memory = String(limits.memoryBytes + OWN_MEMORY_BYTES + PROGRAM_CACHE_BYTES);
  const quota = Math.max(1_000, Math.round(limits.cpus * PERIOD_US));
  // Each process inside is one or two outside; this only guards against a broken gVisor.
  const pids = String(limits.pids * 4 + 1_000);
  for (const folder of folders) await mkdir(folder, { recursive: true });
  if (parent.version === 1) {
    const [memoryFolder = '', cpuFolder = '', pidsFolder = ''] = folders;
    await writeFile(join(memoryFolder, 'memory.limit_in_bytes'), memory);
    await writeFile(join(cpuFolder, 'cpu.cfs_period_us'), String(PERIOD_US));
    await writeFile(join(cpuFolder, 'cpu.cfs_quota_us'), String(quota));
    await writeFile(join(pidsFolder, 'pids.max'), pids);
  } else {
    await writeFile(join(parent.folder, name, 'memory.max'), memory);
    await writeFile(join(parent.folder, name, 'memory.swap.max'), '0').catch(() => undefined);
    await writeFile(join(parent.folder, name, 'cpu.max'), `${quota} ${PERIOD_US}`);
    await writeFile(join(parent.folder, name, 'pids.max'), pids);
  }
  return {
    async join(pid) {
      for (const folder of folders) await writeFile(join(folder, 'cgroup.procs'), String(pid));
    },
    remove: () => removeCgroup(parent, name),
  };
}

/** Bytes of memory in it, without what could be read from a disk again; undefined when it is gone. */
export function memoryOfCgroup(parent: CgroupParent, name: string): number | undefined {
  const [folder = ''] = foldersOf(parent, name);
  const fields = parent.version === 1 ? /^(?:rss|shmem) (\d+)/gm : /^(?:anon|shmem) (\d+)/gm;
  try {
    const stat = readFileSync(join(folder, 'memory.stat'), 'latin1');
    return [...stat.matchAll(fields)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  } catch {
    return undefined;
  }
}

/** For a sandbox of an earlier process. */
export async function removeCgroup(parent: CgroupParent, name: string): Promise<void> {
  for (const folder of foldersOf(parent, name)) {
    for (let attempt = 0; attempt < 100 && existsSync(folder); attempt++) {
      const text = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
      for (const pid of text.split('\n').filter(Boolean)) kill(Number(pid));
      const removed = await rmdir(folder).then(
        () => true,
        () => false,
      );
      if (!removed) await sleep(20);
    }
  }
}

/** Removes groups that nobody is in any more: of sandboxes whose data folder was removed before they were. */
export async function removeEmptyCgroups(parent: CgroupParent): Promise<void> {
  for (const folder of foldersOf(parent, '')) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (!/^lh-[0-9a-f]{12}-\d+$/.test(name)) continue;
      const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: Date.now() }));
      // Another installation may just have made it. A group with processes is not removed by rmdir.
      if (Date.now() - mtimeMs > SETTLED_MS) await rmdir(join(folder, name)).catch(() => undefined);
    }
  }
}

function foldersOf(parent: CgroupParent, name: string): string[] {
  if (parent.version === 2) return [join(parent.folder, name)];
  return CONTROLLERS.map((controller) => join(parent.folders[controller] ?? MOUNT, 'longhand', name));
}

/** proc_pid_cgroup(5): controller → our group; '' is version 2's. */
function ownGroups(): Record<string, string> {
  const groups: Record<string, string> = {};
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')) {
    const [, controllers = '', path = '/'] = line.split(':');
    for (const controller of controllers.split(',')) groups[controller] = path;
  }
  return groups;
}

async function findV1(own: Record<string, string>): Promise<CgroupParent | undefined> {
  const folders: Record<string, string> = {};
  for (const controller of CONTROLLERS) {
    const mount = join(MOUNT, controller);
    // Inside a container the path is the host's, and our group is the mount itself.
    const group = join(mount, own[controller] ?? '/');
    const folder = existsSync(group) ? group : mount;
    if (!(await isWritable(folder)) && !(await isWritable(join(folder, 'longhand')))) return undefined;
    folders[controller] = folder;
  }
  return { version: 1, folders };
}

/** The nearest group above ours that gives all controllers to groups that we may make. */
async function findV2(own = '/'): Promise<CgroupParent | undefined> {
  for (let folder = join(MOUNT, own); folder.startsWith(MOUNT); folder = dirname(folder)) {
    if (!(await isWritable(folder))) continue;
    await writeFile(join(folder, 'cgroup.subtree_control'), '+memory +cpu +pids').catch(() => undefined);
    const given = (await readFile(join(folder, 'cgroup.subtree_control'), 'utf8').catch(() => '')).split(/\s+/);
    if (CONTROLLERS.every((controller) => given.includes(controller))) return { version: 2, folder };
  }
  return undefined;
}

async function isWritable(folder: string): Promise<boolean> {
  return await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );
}
