/** Making a database cluster, and knowing whose it is and of which version. */
import { spawn } from 'node:child_process';
import { chmod, chown, lchown, mkdtemp, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { POSTGRES_MAJOR, type PostgresBinaries } from './binaries.ts';

/**
 * As root the server runs under this id, which belongs to no account: neither `nobody`, under which many other things
 * run (sandboxes perhaps), nor `postgres`, under which a system's own server runs, can then read the database.
 */
const SERVER_UID = 59_432;
/** initdb asks for the account's name, so it runs as one that every Linux has. */
const NOBODY = 65_534;

/** Thrown at start when the data folder was made by another major version: PostgreSQL cannot read it. */
export class PostgresVersionError extends Error {
  override name = 'PostgresVersionError';
  constructor(dataDir: string, found: string) {
    super(
      `The database in ${dataDir} is of PostgreSQL ${found}, and this Longhand brings PostgreSQL ${POSTGRES_MAJOR}. ` +
        'Nothing was changed. Either run the Longhand version that made it, or dump it with that version (pg_dump), ' +
        `move ${dataDir} away, start, and load the dump; or point DATABASE_URL at a server of your own.`,
    );
  }
}

/**
 * Makes the cluster unless it is there already. It appears by rename: an interrupted attempt leaves nothing that could
 * be taken for a database.
 * @throws PostgresVersionError, or Error with initdb's own words.
 */
export async function initialise(
  binaries: PostgresBinaries,
  dataDir: string,
  { user, durable }: { user: string; durable: boolean },
): Promise<void> {
  const found = await readFile(join(dataDir, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (found !== undefined) {
    if (found.trim() !== String(POSTGRES_MAJOR)) throw new PostgresVersionError(dataDir, found.trim());
    return;
  }
  await refuseForeignFolder(dataDir);
  await clearDrafts(dataDir);
  const draft = await mkdtemp(join(dirname(dataDir), draftPrefix(dataDir)));
  try {
    const asRoot = process.getuid?.() === 0;
    if (asRoot) await chown(draft, NOBODY, NOBODY);
    await chmod(draft, 0o700);
    await initdb(binaries, draft, user, durable, asRoot);
    if (asRoot) await giveTo(draft, SERVER_UID);
    await rm(dataDir, { recursive: true, force: true });
    await rename(draft, dataDir);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Under which ids the server of this folder runs: those of the folder's owner.
 * @throws Error when an ordinary user meets another user's folder.
 */
export async function runAs(dataDir: string): Promise<{ uid: number; gid: number }> {
  const { uid, gid } = await stat(dataDir);
  const self = process.getuid?.();
  if (self !== 0 && uid !== self) {
    throw new Error(
      `The database folder ${dataDir} belongs to uid ${uid}, and this process runs as uid ${self}. Was Longhand ` +
        'started as root before? Run it as the same user again, or set LONGHAND_HOME to another folder.',
    );
  }
  return { uid, gid };
}

async function initdb(
  binaries: PostgresBinaries,
  folder: string,
  user: string,
  durable: boolean,
  asRoot: boolean,
): Promise<void> {
  const root = await open(folder, 'r');
  try {
    await run(
      binaries.initdb,
      // C.UTF-8 of PostgreSQL itself: sorting cannot change under an index when the system's libc is updated.
      ['-D', '/proc/self/fd/3', '-U', user, '--auth=trust', '--encoding=UTF8', '--locale-provider=builtin']
        .concat(['--builtin-locale=C.UTF-8', '--locale=C', '--no-instructions'])
        .concat(durable ? [] : ['--no-sync']),
      root.fd,
      asRoot,
    );
  } finally {
    await root.close();
  }
}

async function run(program: string, args: string[], fd: number, asRoot: boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'pipe', fd],
      ...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    });
    let words = '';
    const listen = (text: string) => {
      words = (words + text).slice(-4_000);
    };
    child.stdout?.setEncoding('utf8').on('data', listen);
    child.stderr?.setEncoding('utf8').on('data', listen);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`initdb could not make the database (${signal ?? `exit ${code}`}):\n${words}`));
    });
  });
}

/** Removes what attempts of a killed process left. The caller holds the data folder's lock. */
async function clearDrafts(dataDir: string): Promise<void> {
  for (const name of await readdir(dirname(dataDir))) {
    if (name.startsWith(draftPrefix(dataDir))) await rm(join(dirname(dataDir), name), { recursive: true, force: true });
  }
}

function draftPrefix(dataDir: string): string {
  return `.${basename(dataDir)}-draft-`;
}

/** A folder with files but without PG_VERSION is not ours to empty. */
async function refuseForeignFolder(dataDir: string): Promise<void> {
  const names = await readdir(dataDir).catch(() => []);
  if (names.length === 0) return;
  throw new Error(
    `${dataDir} holds files but no PostgreSQL database (no PG_VERSION; found ${names.slice(0, 3).join(', ')}). ` +
      'Move it away, or set LONGHAND_HOME to another folder.',
  );
}

async function giveTo(folder: string, uid: number): Promise<void> {
  await chown(folder, uid, uid);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    await lchown(join(entry.parentPath, entry.name), uid, uid);
  }
}
