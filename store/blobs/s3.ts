/**
 * Blobs as objects of a bucket: `<prefix><area>/<sha256>`. Any S3-compatible store will do that has multipart uploads
 * and copies. A stream's name is known when it has ended, so it is uploaded under a name of its own and then copied to
 * its right one by the store itself: nothing of it touches this machine's disk, and it appears whole or not at all.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { checkedArea, checkedName, isBlobName } from './areas.ts';
import { BlobCorruptError, BlobMissingError, type Blobs } from './blobs.ts';
import { checkedStream } from './checked-stream.ts';
import { measuredStream } from './measured-stream.ts';

/** Bytes of a part of an upload, of which two are under way: what a stream costs in memory. 10,000 parts are 80 GB. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_AT_ONCE = 2;
/** Names looked up, and objects removed, at once: S3's own limit. */
const AT_ONCE = 1_000;
/** Within an area: streams whose end has not come. */
const DRAFTS = '.incoming/';

export interface Bucket {
  client: S3Client;
  name: string;
  /** In front of every key; empty, or ends with a slash. */
  prefix: string;
}

/** Nothing is asked of the bucket before the first use. */
export function openS3Blobs({ client, name: Bucket, prefix }: Bucket): Blobs {
  const folder = (area: string) => `${prefix}${checkedArea(area)}/`;
  const key = (area: string, sha256: string) => `${folder(area)}${checkedName(sha256)}`;

  async function found(Key: string): Promise<{ bytes: number; changed: number } | undefined> {
    try {
      const { ContentLength = 0, LastModified } = await client.send(new HeadObjectCommand({ Bucket, Key }));
      return { bytes: ContentLength, changed: LastModified?.getTime() ?? Date.now() };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async function moveTo(Key: string, source: string): Promise<void> {
    const CopySource = `${Bucket}/${source.split('/').map(encodeURIComponent).join('/')}`;
    await client.send(new CopyObjectCommand({ Bucket, Key, CopySource }));
  }

  async function removeAll(keys: string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += AT_ONCE) {
      const Objects = keys.slice(at, at + AT_ONCE).map((Key) => ({ Key }));
      const { Errors = [] } = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
      const [first] = Errors;
      if (first) throw new Error(`The bucket ${Bucket} did not remove ${first.Key}: ${first.Code} ${first.Message}`);
    }
  }

  /** Keys that begin so, a page at a time. @param flat - only those without a further slash. */
  async function* keysUnder(Prefix: string, flat: boolean): AsyncGenerator<{ key: string; changed: number }[]> {
    const pages = paginateListObjectsV2({ client }, { Bucket, Prefix, ...(flat ? { Delimiter: '/' } : {}) });
    for await (const { Contents = [] } of pages) {
      yield Contents.map(({ Key = '', LastModified }) => ({
        key: Key,
        changed: LastModified?.getTime() ?? Date.now(),
      }));
    }
  }

  /** What processes that died had begun to upload. */
  async function abortUploads(Prefix: string, before: number): Promise<number> {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
    const old = Uploads.filter(({ Initiated }) => Initiated && Initiated.getTime() < before);
    for (const { Key, UploadId } of old) {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    }
    return old.length;
  }

  async function read(area: string, sha256: string, Range?: string) {
    try {
      return await client.send(new GetObjectCommand({ Bucket, Key: key(area, sha256), Range }));
    } catch (error) {
      throw isMissing(error) ? new BlobMissingError(area, sha256) : error;
    }
  }

  return {
    size: async (area, sha256) => (await found(key(area, sha256)))?.bytes,

    async put(area, body) {
      const sha256 = createHash('sha256').update(body).digest('hex');
      // Also when it is there: it then counts as stored anew, as far as `removeUnreferred` is concerned.
      await client.send(new PutObjectCommand({ Bucket, Key: key(area, sha256), Body: body }));
      return { sha256, bytes: body.byteLength };
    },

    async putStream(area, body, maxBytes) {
      const draft = `${folder(area)}${DRAFTS}${randomUUID()}`;
      const { stream, name } = measuredStream(maxBytes);
      const upload = new Upload({
        client,
        params: { Bucket, Key: draft, Body: stream },
        partSize: PART_BYTES,
        queueSize: PARTS_AT_ONCE,
      });
      const sent = upload.done();
      // Nobody takes bytes any more: whoever sends them must not wait for that.
      sent.catch((error: Error) => stream.destroy(error));
      const [fed, kept] = await Promise.allSettled([pipeline(body, stream), sent]);
      if (fed.status === 'rejected' || kept.status === 'rejected') {
        await upload.abort().catch(() => undefined);
        await removeAll([draft]).catch(() => undefined);
        throw causeOf(fed, kept);
      }
      const stored = name();
      await moveTo(key(area, stored.sha256), draft);
      await removeAll([draft]);
      return stored;
    },

    async get(area, sha256) {
      const { Body } = await read(area, sha256);
      const body = Buffer.from((await Body?.transformToByteArray()) ?? []);
      if (createHash('sha256').update(body).digest('hex') !== sha256) throw new BlobCorruptError(area, sha256);
      return body;
    },

    async getStream(area, sha256, range): Promise<Readable> {
      const { Body, ContentRange } = await read(area, sha256, range && `bytes=${range.start}-${range.end}`);
      const source = Body as Readable;
      const whole = range === undefined || ContentRange?.endsWith(` ${range.start}-${range.end}/${range.end + 1}`);
      return whole && (range?.start ?? 0) === 0 ? checkedStream(source, area, sha256) : source;
    },

    async copy(from, to, sha256) {
      if (await found(key(to, sha256))) return;
      try {
        await moveTo(key(to, sha256), key(from, sha256));
      } catch (error) {
        throw isMissing(error) ? new BlobMissingError(from, sha256) : error;
      }
    },

    async removeUnreferred(area, olderThanMs, referred) {
      const before = Date.now() - olderThanMs;
      let removed = 0;
      for await (const page of keysUnder(folder(area), true)) {
        const old = page
          .filter(({ changed }) => changed < before)
          .map(({ key: Key }) => Key.slice(folder(area).length));
        const kept = old.length > 0 ? await referred(old.filter(isBlobName)) : new Set<string>();
        for (const name of old.filter((one) => !kept.has(one))) {
          const Key = `${folder(area)}${name}`;
          // Looked at again at the last moment: the same bytes may have been stored anew.
          const now = await found(Key);
          if (!now || now.changed >= before) continue;
          await removeAll([Key]);
          removed += 1;
        }
      }
      for await (const page of keysUnder(`${folder(area)}${DRAFTS}`, false)) {
        const old = page.filter(({ changed }) => changed < before).map(({ key: Key }) => Key);
        await removeAll(old);
        removed += old.length;
      }
      return removed + (await abortUploads(`${folder(area)}${DRAFTS}`, before));
    },

    remove: async (area, sha256) => await removeAll([key(area, sha256)]),

    async removeArea(area) {
      for await (const page of keysUnder(folder(area), false)) await removeAll(page.map(({ key: Key }) => Key));
      await abortUploads(folder(area), Number.POSITIVE_INFINITY);
    },
  };
}

/** Each of the two breaks the other; one that was only cut off is not the cause. */
function causeOf(fed: PromiseSettledResult<unknown>, kept: PromiseSettledResult<unknown>): unknown {
  const error: unknown = fed.status === 'rejected' ? fed.reason : undefined;
  const wasCutOff =
    error instanceof Error &&
    (error.name === 'AbortError' || ('code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'));
  return kept.status === 'rejected' && (error === undefined || wasCutOff) ? kept.reason : error;
}

function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException && (error.$metadata.httpStatusCode === 404 || error.name === 'NoSuchKey');
}
