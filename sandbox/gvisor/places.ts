/**
 * Where a provider keeps what on the host, and under which id sandboxes run. An ordinary user's sandboxes run as that
 * user. Root's run under an unprivileged id of their own each, which can enter neither root's home nor the data
 * folder: so their files, and copies of the programs they need, lie in folders that this id can reach.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, realpath, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A Unix socket's path holds 107 bytes and a zero (unix(7)). */
const MAX_SOCKET_PATH = 107;
/** Ids from here on are nobody's by systemd's table of uids ("unused"), and mapped by no container. */
const FIRST_UID = 1_900_000_000;
const UID_COUNT = 1 << 20;
const NOBODY = 65_534;

export interface Places {
  asRoot: boolean;
  /** Records of sandboxes, 0700, in the operator's data folder. */
  records: string;
  /** One folder per sandbox: root file system, runsc's state, disk. */
  sandboxes: string;
  /** One folder per sandbox with its socket. */
  doors: string;
  /** Programs and generated files that all sandboxes read. */
  shared: string;
}

/** Makes the folders. Throws when another user owns one of them, or when a socket's path would be too long. */
export async function preparePlaces(options: {
  stateDir: string;
  socketDir?: string;
  cacheDir: string;
}): Promise<Places> {
  const asRoot = process.getuid?.() === 0;
  await mkdir(options.stateDir, { recursive: true, mode: 0o700 });
  const stateDir = await realpath(options.stateDir);
  const name = createHash('sha256').update(stateDir).digest('hex').slice(0, 12);
  const runtime = asRoot ? undefined : process.env.XDG_RUNTIME_DIR;
  const doorsBase = options.socketDir ?? (runtime || '/tmp');
  const places: Places = {
    asRoot,
    records: join(stateDir, 'sandboxes'),
    sandboxes: asRoot ? join('/var/lib/longhand', name) : join(stateDir, 'run'),
    doors: join(doorsBase, `longhand-${process.getuid?.() ?? 0}-${name}`),
    shared: asRoot ? '/var/cache/longhand/hands' : join(options.cacheDir, 'hands'),
  };
  const mode = asRoot ? 0o711 : 0o700;
  await ownFolder(places.records, 0o700);
  if (asRoot) await mkdir(dirname(places.sandboxes), { recursive: true, mode: 0o711 });
  await ownFolder(places.sandboxes, mode);
  await ownFolder(places.doors, mode);
  await mkdir(places.shared, { recursive: true, mode: 0o755 });
  const longest = join(places.doors, sandboxId('', 999_999), 'hands.sock');
  if (Buffer.byteLength(longest) > MAX_SOCKET_PATH) {
    throw new Error(
      `The path of a sandbox's socket would be ${longest}, longer than the ${MAX_SOCKET_PATH} bytes that Linux allows. ` +
        'Set XDG_RUNTIME_DIR (or the setting socketDir) to a shorter folder.',
    );
  }
  return places;
}

/** The provider's name of a sandbox; also a container id of runsc's. */
export function sandboxId(sessionId: string, generation: number, copy?: string): string {
  const whose = copy === undefined ? sessionId : `${sessionId}\n${copy}`;
  return `lh-${createHash('sha256').update(whose).digest('hex').slice(0, 12)}-${generation}`;
}

/** The host's id for a sandbox: as root an unprivileged one of its own, else undefined (the user's). */
export function hostUid(asRoot: boolean, id: string): number | undefined {
  if (!asRoot) return undefined;
  const wanted = FIRST_UID + (createHash('sha256').update(id).digest().readUInt32BE(0) % UID_COUNT);
  return isMapped(wanted) ? wanted : NOBODY;
}

/** Inside some containers only a few ids exist. */
function isMapped(uid: number): boolean {
  return readFileSync('/proc/self/uid_map', 'utf8')
    .trim()
    .split('\n')
    .some((line) => {
      const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
      return uid >= first && uid < first + count;
    });
}

/**
 * The program itself when every id can reach it (or we are not root), else a copy in `shared` (once, by content's
 * size and time).
 */
export async function reachable(program: string, places: Places): Promise<string> {
  const real = await realpath(program);
  if (!places.asRoot || (await isOpenToAll(real))) return real;
  const { size, mtimeMs } = await stat(real);
  const name = createHash('sha256').update(`${real} ${size} ${mtimeMs}`).digest('hex').slice(0, 12);
  const copy = join(places.shared, `${basename(real)}-${name}`);
  if (await stat(copy).catch(() => undefined)) return copy;
  const draft = `${copy}.${process.pid}`;
  await copyFile(real, draft);
  await chmod(draft, 0o755);
  await rename(draft, copy);
  return copy;
}

async function isOpenToAll(path: string): Promise<boolean> {
  if (((await stat(path)).mode & 0o005) !== 0o005) return false;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

async function ownFolder(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode });
  const there = await lstat(path);
  if (!there.isDirectory() || there.uid !== process.getuid?.()) {
    throw new Error(`${path} belongs to uid ${there.uid}, or is no folder. Remove it, then start again.`);
  }
  await chmod(path, mode);
}
