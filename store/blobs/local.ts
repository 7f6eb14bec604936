/** Blobs as files in a local folder: `<root>/<area>/<sha256>`. For one machine; a bucket takes its place elsewhere. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, statSync, unlinkSync } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { checkedArea, checkedName, isBlobName } from './areas.ts';
import { BlobCorruptError, BlobMissingError, type BlobName, type Blobs } from './blobs.ts';
import { checkedStream } from './checked-stream.ts';
import { measuredStream } from './measured-stream.ts';

/** Names looked up at once. */
const LOOK_UP = 1_000;

/** Opens (and makes, mode 0700) the folder `root` as a blob store. */
export async function openLocalBlobs(root: string): Promise<Blobs> {
  await mkdir(root, { recursive: true, mode: 0o700 });

  const folder = (area: string) => join(root, checkedArea(area));
  const file = (area: string, sha256: string) => join(folder(area), checkedName(sha256));
  const missing = (area: string, sha256: string) => (error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? new BlobMissingError(area, sha256) : error;
  };

  /** A name for bytes that are not whole yet. */
  async function draft(area: string): Promise<string> {
    await mkdir(folder(area), { recursive: true, mode: 0o700 });
    return join(folder(area), `.${randomUUID()}`);
  }

  /** A blob appears whole or not at all: written aside, synced, then renamed to its name. */
  async function keep(area: string, temporary: string, sha256: string): Promise<void> {
    const handle = await open(temporary, 'r');
    await handle.sync().finally(() => handle.close());
    await rename(temporary, file(area, sha256));
  }

  async function size(area: string, sha256: string): Promise<number | undefined> {
    return await stat(file(area, sha256)).then(
      (found) => found.size,
      () => undefined,
    );
  }

  return {
    size,

    async put(area, body) {
      const sha256 = createHash('sha256').update(body).digest('hex');
      const name: BlobName = { sha256, bytes: body.byteLength };
      if ((await size(area, sha256)) !== undefined) {
        // Stored anew, as far as `removeUnreferred` is concerned.
        const now = new Date();
        await utimes(file(area, sha256), now, now);
        return name;
      }
      const temporary = await draft(area);
      const handle = await open(temporary, 'wx', 0o600);
      await handle.writeFile(body).finally(() => handle.close());
      await keep(area, temporary, sha256);
      return name;
    },

    async putStream(area, body, maxBytes) {
      const temporary = await draft(area);
      const { stream, name } = measuredStream(maxBytes);
      try {
        await pipeline(body, stream, createWriteStream(temporary, { mode: 0o600 }));
        const stored = name();
        await keep(area, temporary, stored.sha256);
        return stored;
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },

    async get(area, sha256) {
      const body = await readFile(file(area, sha256)).catch(missing(area, sha256));
      if (createHash('sha256').update(body).digest('hex') !== sha256) throw new BlobCorruptError(area, sha256);
      return body;
    },

    async getStream(area, sha256, range): Promise<Readable> {
      const handle = await open(file(area, sha256), 'r').catch(missing(area, sha256));
      const { size: bytes } = await handle.stat();
      const whole = range === undefined || (range.start === 0 && range.end === bytes - 1);
      const source = createReadStream('', { fd: handle, ...(whole ? {} : range), highWaterMark: 256 * 1024 });
      return whole ? checkedStream(source, area, sha256) : source;
    },

    async copy(from, to, sha256) {
      if ((await size(to, sha256)) !== undefined) return;
      const temporary = await draft(to);
      const source = file(from, sha256);
      try {
        // Names are all that differ. Other file systems, and some that count links, need a copy.
        await link(source, temporary).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') throw error;
          return copyFile(source, temporary);
        });
        await rename(temporary, file(to, sha256));
      } catch (error) {
        missing(from, sha256)(error as NodeJS.ErrnoException);
      } finally {
        // Renaming one of two links to the same file leaves both.
        await rm(temporary, { force: true });
      }
    },

    async removeUnreferred(area, olderThanMs, referred) {
      const before = Date.now() - olderThanMs;
      const entries = await readdir(folder(area), { withFileTypes: true }).catch(() => []);
      const old = entries.flatMap(({ name }) => (isOld(join(folder(area), name), before) ? [name] : []));
      let removed = 0;
      for (let at = 0; at < old.length; at += LOOK_UP) {
        const names = old.slice(at, at + LOOK_UP);
        const kept = await referred(names.filter(isBlobName));
        for (const name of names) {
          // Looked at again at the last moment: the same bytes may have been stored anew.
          if (kept.has(name) || !isOld(join(folder(area), name), before)) continue;
          unlinkSync(join(folder(area), name));
          removed += 1;
        }
      }
      return removed;
    },

    async remove(area, sha256) {
      await rm(file(area, sha256), { force: true });
    },

    async removeArea(area) {
      await rm(folder(area), { recursive: true, force: true });
    },
  };
}

/** A file last written before then, ms since the epoch. */
function isOld(path: string, before: number): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && found.mtimeMs < before;
}
