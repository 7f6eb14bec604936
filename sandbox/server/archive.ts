/**
 * Checkpoints from the inside: the agent's files as one compressed tar, and back. Only ever packed and unpacked here,
 * so no path that an agent chose is ever opened on a host.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { AgentFiles } from './agent-side.ts';

export interface Archive {
  path: string;
  sha256: string;
  bytes: number;
  /** RFC 3339, before the first file was read. */
  takenAt: string;
  remove(): Promise<void>;
}

/** Packs into a file of the server's own in `dir`, so that the hash is known before a byte is sent. */
export async function pack(files: AgentFiles, dir: string, skills: boolean): Promise<Archive> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `checkpoint-${process.hrtime.bigint()}.tar.zst`);
  const takenAt = new Date().toISOString();
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
    const tar = await files.tar(skills);
    await pipeline(tar, createZstdCompress(), measure, createWriteStream(path, { mode: 0o600 }));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return { path, sha256: hash.digest('hex'), bytes, takenAt, remove: () => rm(path, { force: true }) };
}

/** Unpacks a compressed stream. */
export async function unpack(files: AgentFiles, body: Readable): Promise<void> {
  const tar = new PassThrough();
  // Either side's failure ends the other; the first one says why.
  await Promise.all([pipeline(body, createZstdDecompress(), tar), files.untar(tar)]);
}

/** Streams an archive and removes it when it is read or dropped. */
export function readArchive(archive: Archive): Readable {
  const stream = createReadStream(archive.path);
  stream.once('close', () => void archive.remove().catch(() => undefined));
  return stream;
}
