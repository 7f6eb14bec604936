/** Blobs as files in a local folder: `<root>/<session>/<sha256>`. For one machine; a bucket takes its place elsewhere. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BlobCorruptError, BlobMissingError, type BlobName, type Blobs } from './blobs.ts';

const SESSION_ID = /^sesn_[0-9A-Za-z]{1,64}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Opens (and makes, mode 0700) the folder `root` as a blob store. */
export async function openLocalBlobs(root: string): Promise<Blobs> {
  await mkdir(root, { recursive: true, mode: 0o700 });

  const folder = (sessionId: string) => {
    if (!SESSION_ID.test(sessionId)) throw new Error(`Not a session id: ${JSON.stringify(sessionId)}`);
    return join(root, sessionId);
  };
  const file = (sessionId: string, sha256: string) => {
    if (!SHA256.test(sha256)) throw new Error(`Not a SHA-256 in lower-case hex: ${JSON.stringify(sha256)}`);
    return join(folder(sessionId), sha256);
  };
  const missing = (sessionId: string, sha256: string) => (error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new BlobMissingError(sessionId, sha256) : error;
  };

  /** A blob appears whole or not at all: written aside, synced, then renamed to its name. */
  async function keep(sessionId: string, temporary: string, sha256: string): Promise<void> {
    const handle = await open(temporary, 'r');
    await handle.sync().finally(() => handle.close());
    await rename(temporary, file(sessionId, sha256));
  }

  return {
    async put(sessionId, body) {
      const sha256 = createHash('sha256').update(body).digest('hex');
      const name: BlobName = { sha256, bytes: body.byteLength };
      const there = await access(file(sessionId, sha256)).then(
        () => true,
        () => false,
      );
      if (there) return name;
      await mkdir(folder(sessionId), { recursive: true, mode: 0o700 });
      const temporary = join(folder(sessionId), `.${randomUUID()}`);
      const handle = await open(temporary, 'wx', 0o600);
      await handle.writeFile(body).finally(() => handle.close());
      await keep(sessionId, temporary, sha256);
      return name;
    },

    async putStream(sessionId, body, maxBytes = Number.POSITIVE_INFINITY) {
      await mkdir(folder(sessionId), { recursive: true, mode: 0o700 });
      const temporary = join(folder(sessionId), `.${randomUUID()}`);
      const hash = createHash('sha256');
      let bytes = 0;
      const measure = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          bytes += chunk.byteLength;
          if (bytes > maxBytes) return done(new Error(`The stream is larger than the limit of ${maxBytes} bytes.`));
          hash.update(chunk);
          done(null, chunk);
        },
      });
      try {
        await pipeline(body, measure, createWriteStream(temporary, { mode: 0o600 }));
        const sha256 = hash.digest('hex');
        await keep(sessionId, temporary, sha256);
        return { sha256, bytes };
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },

    async get(sessionId, sha256) {
      const body = await readFile(file(sessionId, sha256)).catch(missing(sessionId, sha256));
      if (createHash('sha256').update(body).digest('hex') !== sha256) throw new BlobCorruptError(sessionId, sha256);
      return body;
    },

    async getStream(sessionId, sha256): Promise<Readable> {
      await access(file(sessionId, sha256)).catch(missing(sessionId, sha256));
      const hash = createHash('sha256');
      const check = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          done(null, chunk);
        },
        flush(done) {
          done(hash.digest('hex') === sha256 ? null : new BlobCorruptError(sessionId, sha256));
        },
      });
      const source = createReadStream(file(sessionId, sha256));
      source.on('error', (error) => check.destroy(error));
      return source.pipe(check);
    },

    async removeSession(sessionId) {
      await rm(folder(sessionId), { recursive: true, force: true });
    },
  };
}
