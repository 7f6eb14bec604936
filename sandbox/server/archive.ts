/**
 * Checkpoints from the inside: the agent's files as one compressed tar, and back. Only ever packed and unpacked here,
 * so no path that an agent chose is ever opened on a host.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { AgentFiles } from './agent-side.ts';
import { BULK_BYTES, coalesce } from './coalesce.ts';
import type { CheckpointLimits } from './protocol.ts';

/** Each chunk is a job of a thread. */
const BULK = { chunkSize: BULK_BYTES };

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

export interface Archive {
  path: string;
  sha256: string;
  bytes: number;
  /** RFC 3339, before the first file was read. */
  takenAt: string;
  remove(): Promise<void>;
}

/** The agent's files are more than is kept. */
export class ArchiveTooLargeError extends Error {
  override name = 'ArchiveTooLargeError';
}

/**
 * Packs into a file of the server's own in `dir`, so that the hash is known before a byte is sent.
 * @throws ArchiveTooLargeError, in words for people, above `most`.
 */
export async function pack(files: AgentFiles, dir: string, skills: boolean, most: CheckpointLimits): Promise<Archive> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `checkpoint-${process.hrtime.bigint()}.tar.zst`);
  const takenAt = new Date().toISOString();
  const hash = createHash('sha256');
  const whole = counted(most.whole, tooLarge(most.whole, 'as files, holes in them included'));
  const packed = counted(most.packed, tooLarge(most.packed, 'when they are packed'), hash);
  try {
    const tar = await files.tar(skills);
    const stages = [coalesce(), whole.stream, createZstdCompress(BULK), packed.stream] as const;
    await pipeline(tar, ...stages, createWriteStream(path, { mode: 0o600, highWaterMark: BULK_BYTES }));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return { path, sha256: hash.digest('hex'), bytes: packed.bytes(), takenAt, remove: () => rm(path, { force: true }) };
}

/** Counts what passes, and fails with `words` above `most` bytes. */
function counted(most: number, words: string, hash?: Hash): { stream: Transform; bytes: () => number } {
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash?.update(chunk);
      bytes += chunk.length;
      if (bytes > most) done(new ArchiveTooLargeError(words));
      else done(null, chunk);
    },
  });
  return { stream, bytes: () => bytes };
}

function tooLarge(bytes: number, how: string): string {
  const most = bytes < GIB ? `${Math.floor(bytes / MIB)} MiB` : `${Number((bytes / GIB).toFixed(1))} GiB`;
  return (
    `/workspace, the home folder and /mnt/session/outputs take more than ${most} ${how}, ` +
    'the most that is kept. Delete what can be made again, or move it to ~/.cache, which is not kept.'
  );
}

/** Unpacks a compressed stream. */
export async function unpack(files: AgentFiles, body: Readable): Promise<void> {
  const tar = new PassThrough({ highWaterMark: BULK_BYTES });
  // Either side's failure ends the other; the first one says why.
  await Promise.all([pipeline(body, coalesce(), createZstdDecompress(BULK), tar), files.untar(tar)]);
}

/** Streams an archive and removes it when it is read or dropped. */
export function readArchive(archive: Archive): Readable {
  const stream = createReadStream(archive.path, { highWaterMark: BULK_BYTES });
  stream.once('close', () => void archive.remove().catch(() => undefined));
  return stream;
}
