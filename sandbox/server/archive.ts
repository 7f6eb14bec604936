/**
 * Checkpoints from the inside: the agent's files as one compressed tar, and back. Only ever packed and unpacked here,
 * so no path that an agent chose is ever opened on a host.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { AGENT_UID, HOME, OUTPUTS, PATH, SKILLS, WORKSPACE } from './protocol.ts';

const MEMBERS = [WORKSPACE, HOME, OUTPUTS].map((path) => path.slice(1));
/** Whatever can be fetched or computed again. */
const LEFT_OUT = [`${HOME}/.cache`, `${HOME}/.npm/_cacache`, `${HOME}/.npm/_logs`];

export interface Archive {
  path: string;
  sha256: string;
  bytes: number;
  /** RFC 3339, before the first file was read. */
  takenAt: string;
  remove(): Promise<void>;
}

/**
 * Packs into a file of the server's own in `dir`, so that the hash is known before a byte is sent. The same files give
 * the same bytes; `skills`, which come from outside, are not among them. Runs as the server's uid: an agent's unreadable files belong to it too.
 */
export async function pack(dir: string, skills: boolean): Promise<Archive> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `checkpoint-${process.hrtime.bigint()}.tar.zst`);
  const takenAt = new Date().toISOString();
  const exclude = [...LEFT_OUT, ...(skills ? [SKILLS] : [])].map((path) => `--exclude=${path.slice(1)}`);
  const members = MEMBERS.filter((name) => existsSync(`/${name}`));
  const options = [
    '--create',
    '--file=-',
    '--directory=/',
    '--format=gnu',
    '--sort=name',
    '--numeric-owner',
    '--sparse',
  ];
  const tar = spawn('tar', [...options, '--warning=no-file-changed', ...exclude, '--', ...members], {
    cwd: '/',
    env: { PATH, LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(tar, 'exit') as Promise<[number | null]>;
  // When it could not be started, its pipe says so too.
  ended.catch(() => undefined);
  const words = lastWords(tar.stderr);
  const hash = createHash('sha256');
  let bytes = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  try {
    await pipeline(tar.stdout, createZstdCompress(), measure, createWriteStream(path, { mode: 0o600 }));
    const [code] = await ended;
    // 1: a file changed while it was read; the agent's processes go on meanwhile.
    if (code !== 0 && code !== 1) throw new Error(`tar ended with ${code}: ${words()}`);
  } catch (error) {
    tar.kill('SIGKILL');
    await rm(path, { force: true });
    throw error;
  }
  return { path, sha256: hash.digest('hex'), bytes, takenAt, remove: () => rm(path, { force: true }) };
}

/** Unpacks a stream as the agent: whatever an archive holds, it cannot touch what the agent could not. */
export async function unpack(body: Readable): Promise<void> {
  const options = ['--extract', '--file=-', '--directory=/', '--numeric-owner', '--preserve-permissions'];
  // Node's pipes are sockets, which tar does not read to their end: it would leave the padding, and break the pipe.
  const toTheEnd = '--ignore-zeros';
  const tar = spawn('tar', [...options, toTheEnd, '--no-overwrite-dir', '--delay-directory-restore'], {
    uid: AGENT_UID,
    gid: AGENT_UID,
    cwd: '/',
    env: { PATH, LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const ended = once(tar, 'exit') as Promise<[number | null]>;
  // When it could not be started, its pipe says so too.
  ended.catch(() => undefined);
  const words = lastWords(tar.stderr);
  try {
    await pipeline(body, createZstdDecompress(), tar.stdin);
  } catch (error) {
    tar.kill('SIGKILL');
    throw error;
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`tar could not restore the files, exit code ${code}: ${words()}`);
}

/** Streams an archive and removes it when it is read or dropped. */
export function readArchive(archive: Archive): Readable {
  const stream = createReadStream(archive.path);
  stream.once('close', () => void archive.remove().catch(() => undefined));
  return stream;
}

function lastWords(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-2_000);
  });
  return () => text.trim();
}
