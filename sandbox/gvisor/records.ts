/**
 * What the provider remembers of its sandboxes, in files, so that a new hands worker finds the ones that live and can
 * say of a call whether it may have reached one that does not. What is asked before each call is read and written
 * synchronously (small files): calls must leave in the order in which they came.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint, SandboxLimits } from '../hands.ts';
import type { CgroupParent } from './cgroup.ts';

export interface SandboxRecord {
  id: string;
  sessionId: string;
  copy?: string;
  generation: number;
  createdAt: string;
  /** Of the sandbox's kernel (the sentry) on the host; 0 while it is being made. */
  pid: number;
  /** Start time of `pid` in clock ticks since boot: pids are used again. */
  pidStart: string;
  goferPid: number;
  /** The host was not restarted since. */
  bootId: string;
  /** Host id it runs under; absent: the user's. */
  uid?: number;
  limits: SandboxLimits;
  /** Where its control groups are; absent: a watchdog. The process that ends it may stand elsewhere in the tree. */
  cgroups?: CgroupParent;
  /** `live`: made, files restored. `gone`: kept only for what is known of its calls. */
  state: 'making' | 'live' | 'gone';
  /** Its files as they were when all sandboxes were let go in good order. */
  saved?: Checkpoint;
  /** Whether it ever took calls. */
  wasLive?: boolean;
}

export interface Records {
  get(id: string): Promise<SandboxRecord | undefined>;
  all(): Promise<SandboxRecord[]>;
  put(record: SandboxRecord): Promise<void>;
  /** Forgets it and its calls. */
  remove(id: string): Promise<void>;
  /** Before a call is sent. */
  markSent(id: string, callId: string): Promise<void>;
  /** Whether a call may have reached the sandbox. */
  wasSent(id: string, callId: string): Promise<boolean>;
}

export function openRecords(folder: string): Records {
  const file = (id: string) => join(folder, `${id}.json`);
  const sent = (id: string) => join(folder, `${id}.sent`);
  const known = new Map<string, Set<string>>();

  const sentOf = (id: string): Set<string> => {
    const cached = known.get(id);
    if (cached) return cached;
    const text = read(sent(id)) ?? '';
    const ids = new Set(text.split('\n').filter(Boolean));
    known.set(id, ids);
    return ids;
  };

  const get = async (id: string): Promise<SandboxRecord | undefined> => {
    const text = read(file(id));
    return text === undefined ? undefined : (JSON.parse(text) as SandboxRecord);
  };

  return {
    get,
    async all() {
      const names = await readdir(folder).catch(() => []);
      const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
      const found = await Promise.all(ids.map(get));
      return found.filter((record) => record !== undefined);
    },
    async put(record) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const draft = `${file(record.id)}.${process.pid}.draft`;
      await writeFile(draft, JSON.stringify(record), { mode: 0o600 });
      await rename(draft, file(record.id));
    },
    async remove(id) {
      known.delete(id);
      await rm(file(id), { force: true });
      await rm(sent(id), { force: true });
    },
    async markSent(id, callId) {
      const ids = sentOf(id);
      if (ids.has(callId)) return;
      appendFileSync(sent(id), `${callId}\n`, { mode: 0o600 });
      ids.add(callId);
    },
    async wasSent(id, callId) {
      return sentOf(id).has(callId);
    },
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
