import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type S3Server, startS3Server } from '../../test/support/s3-server.ts';
import { BlobCorruptError, type Blobs } from './blobs.ts';
import { blobsContract } from './contract.ts';
import { BlobUrlError, blobPlace, openBlobs, s3Client } from './open.ts';

let server: S3Server;
let blobs: Blobs;
beforeAll(async () => {
  server = await startS3Server();
  Object.assign(process.env, server.env);
  blobs = await openBlobs(server.blobUrl('some/prefix'));
}, 600_000);
afterAll(() => server?.stop());

describe('a bucket', () => {
  blobsContract(() => blobs, 1_000);
});

test('an object that was changed is not given out', async () => {
  const name = await blobs.put('sesn_21', Buffer.alloc(600_000, 7));
  const path = join(server.folder, 'some/prefix/sesn_21', name.sha256);
  const damaged = await readFile(path);
  damaged[0] = 8;
  await writeFile(path, damaged);
  await expect(blobs.get('sesn_21', name.sha256)).rejects.toBeInstanceOf(BlobCorruptError);
  await expect((await blobs.getStream('sesn_21', name.sha256)).toArray()).rejects.toBeInstanceOf(BlobCorruptError);
});

test('an upload whose process died is given up once it is old, and goes with its area', async () => {
  const place = blobPlace(server.blobUrl('some/prefix'));
  if (place.kind !== 'bucket') throw new Error('not a bucket');
  const client = await s3Client(place);
  const Bucket = server.bucket;
  const begin = (area: string) =>
    client.send(new CreateMultipartUploadCommand({ Bucket, Key: `some/prefix/${area}/.incoming/dead` }));
  const open = async () => (await client.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads?.length ?? 0;
  await begin('sesn_22');
  expect(await blobs.removeUnreferred('sesn_22', 60_000, async () => new Set())).toBe(0);
  expect(await open()).toBe(1);
  expect(await blobs.removeUnreferred('sesn_22', -60_000, async () => new Set())).toBe(1);
  await begin('sesn_22');
  await blobs.removeArea('sesn_22');
  expect(await open()).toBe(0);
});

test('a bucket that refuses ends the stream instead of waiting for ever', async () => {
  const elsewhere = await openBlobs(server.blobUrl('x').replace(server.bucket, 'no-such-bucket'));
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1_000_000);
    })(),
  );
  await expect(elsewhere.putStream('sesn_23', endless)).rejects.toThrow(/bucket/i);
  expect(endless.destroyed).toBe(true);
});

test('two stores in one bucket do not see one another', async () => {
  const other = await openBlobs(server.blobUrl('other'));
  const name = await blobs.put('sesn_24', Buffer.from('mine'));
  expect(await other.size('sesn_24', name.sha256)).toBeUndefined();
  await other.removeArea('sesn_24');
  expect(await blobs.size('sesn_24', name.sha256)).toBe(4);
  expect(await readdir(join(server.folder, 'some/prefix/sesn_24'))).toContain(name.sha256);
});

test.each([
  ['http://bucket', /neither file/],
  ['s3:///prefix', /no bucket/],
  ['s3://bucket?colour=red', /colour/],
  ['s3://bucket?endpoint=minio:9000', /endpoint/],
  ['s3://bucket?path_style=yes', /path_style/],
  ['s3://key:secret@bucket', /credentials/],
  ['file://host/folder', /file/],
  ['blobs', /neither/],
])('%s names no blob store, and the error says why', (url, why) => {
  expect(() => blobPlace(url)).toThrow(BlobUrlError);
  expect(() => blobPlace(url)).toThrow(why);
  if (url.includes('secret')) expect(() => blobPlace(url)).not.toThrow(/secret/);
});
