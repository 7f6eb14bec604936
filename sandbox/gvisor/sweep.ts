/** Finding what dead owners left: sandboxes of data folders that are gone, folders without a record. */

import { existsSync } from 'node:fs';
import { readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isAlive, kill, startTime } from './host-process.ts';
import type { Places } from './places.ts';

/** Stands in `sandboxes`: which data folder they belong to. */
const OWNER = 'owner.json';

interface Owner {
  records: string;
  doors: string;
  pid: number;
  pidStart: string;
}

/** Says whose folder it is; to be repeated at every start. */
export async function claim(places: Places): Promise<void> {
  const owner: Owner = {
    records: places.records,
    doors: places.doors,
    pid: process.pid,
    pidStart: startTime(process.pid) ?? '',
  };
  await writeFile(join(places.sandboxes, OWNER), JSON.stringify(owner), { mode: 0o600 });
}

/**
 * Ends sandboxes whose data folder was removed (e.g. a test's) and whose owner has ended, and removes what they left.
 * Returns how many there were.
 */
export async function collectOrphans(places: Places): Promise<number> {
  const orphans = new Map<string, number[]>();
  for (const { pid, folder } of await sandboxProcesses()) {
    if (dirname(folder) === places.sandboxes || !(await isOrphan(dirname(folder)))) continue;
    orphans.set(folder, [...(orphans.get(folder) ?? []), pid]);
  }
  for (const [folder, pids] of orphans) {
    pids.forEach(kill);
    await rm(folder, { recursive: true, force: true });
  }
  if (places.asRoot) await removeEmptied(places);
  return orphans.size;
}

/** As root all installations keep their sandboxes side by side; folders of those that are gone go too. */
async function removeEmptied(places: Places): Promise<void> {
  const base = dirname(places.sandboxes);
  for (const name of await readdir(base)) {
    const folder = join(base, name);
    if (folder === places.sandboxes || !(await isOrphan(folder))) continue;
    const owner = await readOwner(folder);
    await rm(folder, { recursive: true, force: true });
    if (owner) await rm(owner.doors, { recursive: true, force: true });
  }
}

/** Gives up the folders of an installation without sandboxes; the next start makes them again. */
export async function unclaim(places: Places): Promise<void> {
  await rm(join(places.sandboxes, OWNER), { force: true });
  for (const folder of [places.sandboxes, places.doors]) await rmdir(folder).catch(() => undefined);
}

/** Its data folder is gone, and the process that used it too. */
async function isOrphan(sandboxes: string): Promise<boolean> {
  const owner = await readOwner(sandboxes);
  if (!owner) return !existsSync(sandboxes);
  return !existsSync(owner.records) && !isAlive(owner.pid, owner.pidStart);
}

/** Ends a sandbox of which only the folder is known. */
export async function endByFolder(folder: string): Promise<void> {
  for (const found of await sandboxProcesses()) if (found.folder === folder) kill(found.pid);
  await rm(folder, { recursive: true, force: true });
}

/** gVisor's processes, also one that is only making a sandbox: the command line names the folder of their state. */
async function sandboxProcesses(): Promise<{ pid: number; folder: string }[]> {
  const found: { pid: number; folder: string }[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    const folder = /\0--root=([^\0]*\/lh-[0-9a-f]{12}-\d+)\/runsc\0/.exec(line)?.[1];
    if (folder) found.push({ pid: Number(name), folder });
  }
  return found;
}

async function readOwner(folder: string): Promise<Owner | undefined> {
  const text = await readFile(join(folder, OWNER), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Owner);
}
