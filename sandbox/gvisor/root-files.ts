/**
 * What a sandbox sees as its root: an empty tree with mount points, and read-only mounts of the host's /usr (without
 * /usr/local, /usr/etc and /usr/src) or of an operator's folder. Each part is mounted by itself, so that what is left
 * out is not covered up but absent.
 */
import { createHash } from 'node:crypto';
import { chownSync, lchownSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HOME, SESSION_DIR, WORKSPACE } from '../server/protocol.ts';
import { NODE } from './oci.ts';
import type { Places } from './places.ts';

/** A read-only mount of a host's file or folder. */
export interface ReadOnlyMount {
  source: string;
  destination: string;
}

export interface RootFiles {
  mounts: ReadOnlyMount[];
  /** Absolute path → target, for links at the root such as /bin. */
  links: Record<string, string>;
}

const USR_LEFT_OUT = new Set(['local', 'etc', 'src']);
/** Ours in every sandbox, whatever the operator's folder has there. */
const OURS = new Set(['dev', 'home', 'mnt', 'proc', 'run', 'sys', 'tmp', 'var', 'workspace', 'lost+found']);
/** Settings of the host that are about its programs, not about it. */
const ETC_COPIED = [
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'alternatives',
  'mime.types',
  'magic',
  'fonts',
  'ssl/certs',
];

/** The files of the host, or of `rootfs` when the operator gave one. */
export async function rootFiles(places: Places, rootfs?: string): Promise<RootFiles> {
  if (rootfs) return await partsOf(rootfs, '/', OURS);
  const usr = await partsOf('/usr', '/usr', USR_LEFT_OUT);
  const root = await partsOf('/', '/', new Set());
  const links = Object.fromEntries(Object.entries(root.links).filter(([, target]) => /^\/?usr\//.test(target)));
  // A host whose /bin is a folder of its own, not a link into /usr.
  const folders = root.mounts.filter(({ source }) => /^\/(bin|sbin|lib\w*)$/.test(source));
  const etc = { source: await generatedEtc(places), destination: '/etc' };
  // The host may have a node of its own; the agent's is the one that came with us.
  const node = { '/usr/local/bin/node': NODE };
  return { mounts: [...usr.mounts, ...folders, etc], links: { ...usr.links, ...links, ...node } };
}

async function partsOf(folder: string, destination: string, leftOut: Set<string>): Promise<RootFiles> {
  const parts: RootFiles = { mounts: [], links: {} };
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (leftOut.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) parts.mounts.push({ source: path, destination: join(destination, entry.name) });
    else if (entry.isSymbolicLink()) parts.links[join(destination, entry.name)] = await readlink(path);
  }
  return parts;
}

/** /etc as this sandbox needs it; nothing of the host's users, hosts or secrets. Made once per content. */
async function generatedEtc(places: Places): Promise<string> {
  const files: Record<string, string> = {
    passwd: `root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:1000:1000:agent:${HOME}:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`,
    group: 'root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n',
    hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
    hostname: 'sandbox\n',
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
    'resolv.conf': '',
    profile: 'export PATH="$HOME/.local/bin:/usr/local/bin:/usr/bin:/bin"\n',
    'bash.bashrc': '',
    shells: '/bin/sh\n/bin/bash\n',
    'os-release': await readFile('/usr/lib/os-release', 'utf8').catch(() => 'ID=linux\n'),
  };
  const copied = await Promise.all(ETC_COPIED.map((name) => lstat(join('/etc', name)).catch(() => undefined)));
  const key = JSON.stringify([files, copied.map((found) => found?.mtimeMs)]);
  const folder = join(places.shared, `etc-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`);
  if (await lstat(folder).catch(() => undefined)) return folder;
  const draft = `${folder}.${process.pid}`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true, mode: 0o755 });
  for (const [name, text] of Object.entries(files)) await writeFile(join(draft, name), text, { mode: 0o644 });
  for (const name of ETC_COPIED) await copyOpenFiles(join('/etc', name), join(draft, name));
  await rename(draft, folder).catch(async (error: Error) => {
    await rm(draft, { recursive: true, force: true });
    // Another process was faster: its folder is as good.
    if (!(await lstat(folder).catch(() => undefined))) throw error;
  });
  return folder;
}

/** Only what every user of the host may read; links as they are, except into /usr/local. */
async function copyOpenFiles(source: string, target: string): Promise<void> {
  const found = await lstat(source).catch(() => undefined);
  if (!found) return;
  if (found.isDirectory()) {
    await mkdir(target, { recursive: true, mode: 0o755 });
    const names = await readdir(source).catch(() => []);
    for (const name of names) await copyOpenFiles(join(source, name), join(target, name));
    return;
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  if (found.isSymbolicLink()) {
    const to = await readlink(source);
    if (!to.startsWith('/usr/local')) await symlink(to, target);
  } else if (found.isFile() && (found.mode & 0o004) !== 0) {
    await cp(source, target);
  }
}

/**
 * Makes the tree of mount points of one sandbox under `root`, owned by `uid` (which is root inside). The writable
 * folders in it are only names: what is written goes to the sandbox's own disk.
 */
export function makeRootTree(root: string, files: RootFiles, more: string[], uid?: number): void {
  const folder = (path: string, mode = 0o755) => {
    const parts = path.split('/').filter(Boolean);
    for (let depth = 1; depth <= parts.length; depth++) {
      const part = join(root, ...parts.slice(0, depth));
      try {
        mkdirSync(part, { mode: depth === parts.length ? mode : 0o755 });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  };
  mkdirSync(root, { recursive: true, mode: 0o755 });
  for (const path of ['/dev', '/proc', '/sys', '/run', '/tmp', '/var/tmp', WORKSPACE, HOME]) folder(path);
  for (const path of ['/root', `${SESSION_DIR}/uploads`, `${SESSION_DIR}/outputs`, ...more]) folder(path);
  for (const { source, destination } of files.mounts) {
    if (statSync(source).isDirectory()) folder(destination);
    else {
      folder(dirname(destination));
      writeFileSync(join(root, destination), '');
    }
  }
  for (const [path, target] of Object.entries(files.links)) {
    folder(dirname(path));
    symlinkSync(target, join(root, path));
  }
  // runsc puts an unlimited tmpfs over an empty /tmp.
  writeFileSync(join(root, 'tmp/.keep'), '');
  if (uid !== undefined) chownTree(root, uid);
}

function chownTree(folder: string, uid: number): void {
  chownSync(folder, uid, uid);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) chownTree(path, uid);
    else lchownSync(path, uid, uid);
  }
}
