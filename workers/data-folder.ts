/** The data folder: private, and used by one Longhand at a time. */
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BlobUrlError, blobPlace } from '../store/blobs/open.ts';
import { type Lock, lockHolder, tryLock } from './lock.ts';
import type { Settings } from './settings.ts';

/** Where things are in the data folder. */
export interface HomeLayout {
  home: string;
  /** The embedded PostgreSQL's cluster. */
  postgres: string;
  /** The Temporal dev server's database file. */
  temporal: string;
  /** The blob store. */
  blobs: string;
  /** What the hands worker keeps about its sandboxes; the hands' only writable folder besides blobs. */
  hands: string;
  /** Process files and what the workers report of themselves. */
  run: string;
  /** The API key that was made at the first start. */
  apiKey: string;
  lock: string;
}

export function homeLayout(home: string): HomeLayout {
  return {
    home,
    postgres: join(home, 'postgres'),
    temporal: join(home, 'temporal.db'),
    blobs: join(home, 'blobs'),
    hands: join(home, 'hands'),
    run: join(home, 'run'),
    apiKey: join(home, 'api-key'),
    lock: join(home, 'lock'),
  };
}

/** URL of the blob store: BLOB_URL, else a folder in the data folder. @throws StartError for a URL that names none. */
export function blobUrl({ BLOB_URL: url, LONGHAND_HOME: home }: Pick<Settings, 'BLOB_URL' | 'LONGHAND_HOME'>): string {
  if (url === undefined) return pathToFileURL(homeLayout(home).blobs).href;
  try {
    blobPlace(url);
    return url;
  } catch (error) {
    throw error instanceof BlobUrlError ? new StartError(error.message) : error;
  }
}

/** An error of the person's surroundings: one clear line, exit code 2. */
export class StartError extends Error {
  override name = 'StartError';
  readonly exitCode = 2;
  /** `locked`: another Longhand uses the data folder. */
  readonly reason: 'locked' | undefined;
  constructor(message: string, reason?: 'locked') {
    super(message);
    this.reason = reason;
  }
}

/**
 * Makes the folder (mode 0700) and takes its lock, which ends with this process.
 * @throws StartError when another Longhand uses it, or it belongs to somebody else.
 */
export async function openDataFolder(home: string): Promise<{ layout: HomeLayout; lock: Lock }> {
  const layout = homeLayout(home);
  const self = process.getuid?.();
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    const { uid, mode } = await stat(home);
    if (self !== 0 && uid !== self) {
      throw new StartError(
        `The data folder ${home} belongs to uid ${uid}, and this process runs as uid ${self}. ` +
          'Run it as that user, or set LONGHAND_HOME to another folder.',
      );
    }
    if ((mode & 0o077) !== 0) await chmod(home, 0o700);
    for (const folder of [layout.blobs, layout.hands, layout.run])
      await mkdir(folder, { recursive: true, mode: 0o700 });
    // Watchers and search tools leave out what git ignores, wherever the folder is.
    await writeFile(`${home}/.gitignore`, '*\n');
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`The data folder ${home} cannot be used: ${(error as Error).message}. Set LONGHAND_HOME.`);
  }
  const lock = tryLock(layout.lock);
  if (lock === undefined) {
    throw new StartError(
      `The data folder ${home} is in use by another Longhand (process ${lockHolder(layout.lock)}). ` +
        'Stop that one first, or set LONGHAND_HOME to another folder.',
      'locked',
    );
  }
  return { layout, lock };
}

/**
 * The key of the default workspace: the given one, or the one in the data folder, which is made when it is not there.
 * `made` is true only when it was made now.
 */
export async function apiKeyOf(layout: HomeLayout, given?: string): Promise<{ key: string; made: boolean }> {
  if (given !== undefined) return { key: given, made: false };
  const kept = await readFile(layout.apiKey, 'utf8').catch(() => undefined);
  if (kept?.trim()) return { key: kept.trim(), made: false };
  // Only here: the commands that look for the key need no database library.
  const { newApiKey } = await import('../store/keys.ts');
  const key = newApiKey();
  await writeFile(layout.apiKey, `${key}\n`, { mode: 0o600 });
  return { key, made: true };
}
