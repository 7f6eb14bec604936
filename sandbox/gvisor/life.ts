/** The life of sandboxes: making, finding again, connecting to, and ending them. */

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleToolServer } from '../bundle.ts';
import { restoreCheckpoint } from '../checkpoints.ts';
import type { SandboxLimits, SandboxRef, SandboxSpec } from '../hands.ts';
import { shellNote } from '../shell-note.ts';
import { createToolClient, type ToolClient } from '../tool-client.ts';
import { type CgroupParent, findCgroupParent, makeCgroup, removeCgroup, removeEmptyCgroups } from './cgroup.ts';
import { type Door, openDoor } from './door.ts';
import { bootId, isAlive, kill, startTime } from './host-process.ts';
import { type LaunchPlan, lastWords, launch, makeFolders, type Programs, removeFolders, socketPath } from './launch.ts';
import { DEFAULT_PATIENCE_MS, type GvisorOptions } from './options.ts';
import { hostUid, type Places, preparePlaces, reachable, sandboxId } from './places.ts';
import { openRecords, type Records, type SandboxRecord } from './records.ts';
import { type RootFiles, rootFiles } from './root-files.ts';
import { claim, collectOrphans, endByFolder, unclaim } from './sweep.ts';
import { affinityPrefix, watchMemory } from './watchdog.ts';

/** As ext4 does by default: a file per 16 KiB; and gVisor keeps 3 KiB of memory for each. */
const DISK_BYTES_PER_INODE = 16 * 1024;
const MEMORY_BYTES_PER_INODE = 8 * 1024;
/** No attempt of a call is made this long after its sandbox was. */
const REMEMBERED_MS = 30 * 24 * 3600 * 1000;

/** A sandbox that this process is connected to, or waits for. */
export interface Attached {
  record: SandboxRecord;
  client: ToolClient;
  /** Resolves when there is a connection; rejects when the sandbox has ended or does not dial in time. */
  connected(): Promise<void>;
  close(): Promise<void>;
}

export interface Life {
  records: Records;
  places: Places;
  programs: Programs;
  /** The live sandbox behind a ref; undefined when it is gone, after clearing away what it left. */
  find(ref: Pick<SandboxRef, 'id'>): Promise<Attached | undefined>;
  /** Makes the sandbox of this generation. Ends what it made when it fails. */
  make(spec: SandboxSpec, signal: AbortSignal): Promise<void>;
  /** Ends a sandbox; what is known of its calls stays. Safe to repeat. */
  destroy(record: SandboxRecord, why: string): Promise<void>;
  /** Ends all sandboxes, lets go of everything and removes empty folders; this life is over then. */
  endAll(): Promise<void>;
  /** Lets go of all connections. */
  close(): Promise<void>;
}

/** Prepares folders and programs (0.3 s, copies them the first time) and clears away what dead owners left. */
export async function beginLife(options: GvisorOptions, limits: SandboxLimits): Promise<Life> {
  const log = options.log ?? (() => undefined);
  const places = await preparePlaces(options);
  const [runsc, node, toolServer, files, cgroups] = await Promise.all([
    reachable(options.runsc, places),
    reachable(options.nodeBinary, places),
    bundleToolServer(places.shared),
    rootFiles(places, options.rootfs),
    options.cgroups === false ? undefined : findCgroupParent(),
  ]);
  const base: Base = { places, programs: { runsc, node, toolServer }, files, cgroups, options, limits, log };
  const records = openRecords(places.records);
  const attached = new Map<string, Promise<Attached>>();
  const ending = new Map<string, Promise<void>>();
  let closed = false;

  const attach = (record: SandboxRecord): Promise<Attached> => {
    // A call that lost its connection to `close` must not open another one.
    if (closed) throw new Error('These hands are closed.');
    const there = attached.get(record.id);
    if (there) return there;
    const made = open(base, record, (reason) => {
      destroy(record, reason).catch((error: Error) => log(`sandbox ${record.id}: ${error.message}`));
    });
    attached.set(record.id, made);
    made.catch(() => attached.delete(record.id));
    return made;
  };

  const destroy = (record: SandboxRecord, why: string): Promise<void> => {
    // Sixteen calls notice a dead sandbox at the same moment.
    const going = ending.get(record.id);
    if (going) return going;
    const gone = end(record, why).finally(() => ending.delete(record.id));
    ending.set(record.id, gone);
    return gone;
  };

  const end = async (record: SandboxRecord, why: string): Promise<void> => {
    log(`sandbox ${record.id} of ${record.sessionId} is ended: ${why}${await lastWords(places, record.id)}`);
    if (isRunning(record)) {
      kill(record.pid);
      kill(record.goferPid);
    } else {
      await endByFolder(join(places.sandboxes, record.id));
    }
    const there = attached.get(record.id);
    attached.delete(record.id);
    await (await there?.catch(() => undefined))?.close();
    await goneFrom(record);
    if (record.cgroups) await removeCgroup(record.cgroups, record.id);
    await removeFolders(places, record.id);
    await records.put({ ...record, state: 'gone' });
  };

  const make = async (spec: SandboxSpec, signal: AbortSignal): Promise<void> => {
    const record = newRecord(base, spec);
    try {
      await records.put(record);
      await removeFolders(places, record.id);
      const plan = planOf(base, spec, record);
      const prefix = cgroups ? [] : affinityPrefix(record.limits, record.id);
      await makeFolders(places, plan);
      const sandbox = await attach(record);
      const group = cgroups && (await makeCgroup(cgroups, record.id, record.limits));
      const started = await launch(places, plan, prefix, async (pid) => {
        await group?.join(pid);
      });
      Object.assign(record, started, { pidStart: startTime(started.pid) ?? 'ended' });
      await records.put(record);
      signal.throwIfAborted();
      await sandbox.connected();
      if (spec.restore) await restoreCheckpoint(sandbox.client, options.checkpoints, spec.sessionId, spec.restore);
      record.state = 'live';
      record.wasLive = true;
      await records.put(record);
      log(`sandbox ${record.id} of ${spec.sessionId} is ready`);
    } catch (error) {
      await destroy(record, `it could not be made: ${(error as Error).message}`);
      throw error;
    }
  };

  const find = async (ref: Pick<SandboxRef, 'id'>): Promise<Attached | undefined> => {
    const record = await records.get(ref.id);
    if (record?.state !== 'live') return undefined;
    if (isRunning(record)) return await attach(record);
    await destroy(record, 'its processes have ended');
    return undefined;
  };

  const close = async () => {
    closed = true;
    const all = [...attached.values()];
    attached.clear();
    await Promise.all(all.map(async (one) => (await one.catch(() => undefined))?.close()));
  };

  await claim(places);
  if (cgroups) await removeEmptyCgroups(cgroups);
  const orphans = await collectOrphans(places);
  if (orphans > 0) log(`${orphans} sandboxes of installations that are gone were ended`);
  await clearHalfMade(places, records);

  return {
    ...{ records, places, programs: base.programs, find, make, destroy },
    async endAll() {
      const left = (await records.all()).filter(({ state }) => state !== 'gone');
      await Promise.all(left.map((record) => destroy(record, 'all are released')));
      await close();
      await unclaim(places);
    },
    close,
  };
}

interface Base {
  places: Places;
  programs: Programs;
  files: RootFiles;
  cgroups: CgroupParent | undefined;
  options: GvisorOptions;
  limits: SandboxLimits;
  log: (message: string) => void;
}

function isRunning(record: SandboxRecord): boolean {
  return record.bootId === bootId() && isAlive(record.pid, record.pidStart);
}

async function open(base: Base, record: SandboxRecord, end: (reason: string) => void): Promise<Attached> {
  const patienceMs = base.options.patienceMs ?? DEFAULT_PATIENCE_MS;
  const door = await openDoor(socketPath(base.places, record.id), patienceMs, record.uid);
  const unwatch = watchMemory(record, end);
  const connection = () => connectionOf(record, door, patienceMs);
  return {
    record,
    client: createToolClient(record.generation, connection),
    async connected() {
      await connection();
    },
    async close() {
      unwatch();
      await door.close();
    },
  };
}

/** The live connection, or the next; gives up as soon as the sandbox has ended. */
async function connectionOf(record: SandboxRecord, door: Door, patienceMs: number) {
  const watch = setInterval(() => {
    // Not while it is being made: it has no pid yet.
    if (record.pidStart !== '' && !isRunning(record)) door.giveUp('The sandbox has ended.');
  }, 50);
  try {
    return await door.connection(patienceMs);
  } finally {
    clearInterval(watch);
  }
}

function newRecord({ places, limits, cgroups }: Base, spec: SandboxSpec): SandboxRecord {
  const id = sandboxId(spec.sessionId, spec.generation, spec.copy);
  return {
    ...(spec.copy === undefined ? {} : { copy: spec.copy }),
    ...{ id, sessionId: spec.sessionId, generation: spec.generation, uid: hostUid(places.asRoot, id) },
    ...{ limits: { ...limits, ...spec.limits }, state: 'making', createdAt: new Date().toISOString() },
    ...{ pid: 0, pidStart: '', goferPid: 0, bootId: bootId(), cgroups },
  };
}

function planOf({ programs, files }: Base, spec: SandboxSpec, { id, uid, limits }: SandboxRecord): LaunchPlan {
  const byDisk = Math.floor(limits.diskBytes / DISK_BYTES_PER_INODE);
  const byMemory = Math.floor(limits.memoryBytes / MEMORY_BYTES_PER_INODE);
  return {
    ...{ id, uid, limits, programs, files },
    inodes: Math.max(10_000, Math.min(byDisk, byMemory)),
    server: {
      sessionId: spec.sessionId,
      generation: spec.generation,
      shellNote: shellNote(spec),
      awaitRestore: spec.restore !== undefined,
      ...(spec.skills ? { skills: true as const } : {}),
    },
  };
}

/** A process that ended while it made a sandbox leaves a folder, perhaps a sandbox, that nobody will ask for. */
async function clearHalfMade(places: Places, records: Records): Promise<void> {
  for (const { id, state, createdAt } of await records.all()) {
    if (state === 'gone' && Date.now() - Date.parse(createdAt) > REMEMBERED_MS) await records.remove(id);
  }
  for (const id of await readdir(places.sandboxes)) {
    if (!id.startsWith('lh-') || !existsSync(join(places.sandboxes, id))) continue;
    const record = await records.get(id);
    if (record?.state === 'live' || record?.state === 'making') continue;
    await endByFolder(join(places.sandboxes, id));
    await removeFolders(places, id);
  }
}

/** Waits for the end of a killed sandbox: its disk is held open until then. */
async function goneFrom({ pid, pidStart }: SandboxRecord): Promise<void> {
  for (let waited = 0; isAlive(pid, pidStart) && waited < 5_000; waited += 10) await sleep(10);
}
