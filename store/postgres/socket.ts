/** The folder of the server's Unix socket: short, private, and the same at every start of the same database. */
import { createHash } from 'node:crypto';
import { chown, lstat, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** A Unix socket's path holds 107 bytes and a zero (unix(7)); PostgreSQL's own name in the folder takes 16. */
const MAX_FOLDER_BYTES = 107 - '/.s.PGSQL.5432.lock'.length;

/**
 * Path of the folder. It is under `$XDG_RUNTIME_DIR`, or under /tmp as root (the server's uid cannot enter root's runtime
 * folder) and where there is none; not in the data folder, whose path may be too long.
 */
export async function socketPath(dataDir: string): Promise<string> {
  const hash = createHash('sha256').update(await realpath(dataDir));
  const name = `longhand-pg-${hash.digest('hex').slice(0, 12)}`;
  const runtime = process.getuid?.() === 0 ? undefined : process.env.XDG_RUNTIME_DIR;
  return runtime && fits(join(runtime, name)) ? join(runtime, name) : join('/tmp', name);
}

/**
 * Makes the folder, mode 0700, owned by the server's uid.
 * @throws Error when somebody else owns a folder of that name (/tmp is everybody's).
 */
export async function socketFolder(dataDir: string, uid: number): Promise<string> {
  const self = process.getuid?.() ?? uid;
  const folder = await socketPath(dataDir);
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const there = await lstat(folder);
  const ours = there.isDirectory() && (there.uid === uid || there.uid === self) && (there.mode & 0o077) === 0;
  if (!ours) {
    throw new Error(
      `${folder}, the folder for the database's socket, belongs to uid ${there.uid} or is open to others ` +
        `(mode ${(there.mode & 0o7777).toString(8)}). Remove it, then start again.`,
    );
  }
  if (there.uid !== uid) await chown(folder, uid, uid);
  return folder;
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_FOLDER_BYTES;
}
