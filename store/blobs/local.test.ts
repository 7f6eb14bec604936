import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BlobCorruptError, type Blobs } from './blobs.ts';
import { blobsContract } from './contract.ts';
import { openLocalBlobs } from './local.ts';

let root: string;
let blobs: Blobs;
beforeAll(async () => {
  root = join(await mkdtemp(join(tmpdir(), 'blobs-')), 'blobs');
  blobs = await openLocalBlobs(root);
});
afterAll(() => rm(join(root, '..'), { recursive: true }));

describe('a folder', () => {
  blobsContract(() => blobs, 20);
});

test('only its owner can look into the folder', async () => {
  expect((await stat(root)).mode & 0o777).toBe(0o700);
});

test('no file is left of a stream past the limit', async () => {
  const name = await blobs.put('sesn_30', Buffer.from('hello'));
  await expect(blobs.putStream('sesn_30', Readable.from([Buffer.alloc(100)]), 50)).rejects.toThrow('limit of 50 bytes');
  expect(await readdir(join(root, 'sesn_30'))).toEqual([name.sha256]);
});

test('bytes that were changed on the disk are not given out', async () => {
  const name = await blobs.put('sesn_4', Buffer.from('hello'));
  await writeFile(join(root, 'sesn_4', name.sha256), 'HELLO');
  await expect(blobs.get('sesn_4', name.sha256)).rejects.toBeInstanceOf(BlobCorruptError);
  await expect((await blobs.getStream('sesn_4', name.sha256)).toArray()).rejects.toBeInstanceOf(BlobCorruptError);
});

test('a damaged blob is cut off when it is streamed: its last bytes are never given out', async () => {
  const name = await blobs.put('sesn_5', Buffer.alloc(600_000, 7));
  const damaged = Buffer.alloc(600_000, 7);
  damaged[0] = 8;
  await writeFile(join(root, 'sesn_5', name.sha256), damaged);
  let bytes = 0;
  const read = async () => {
    for await (const chunk of await blobs.getStream('sesn_5', name.sha256)) bytes += (chunk as Buffer).length;
  };
  await expect(read()).rejects.toBeInstanceOf(BlobCorruptError);
  expect(bytes).toBeLessThan(600_000);
});

test('what nobody refers to is removed once it is old; what is referred to, or was stored again, stays', async () => {
  const area = 'wrkspc_3';
  const [kept, loose, again] = await Promise.all(
    ['kept', 'loose', 'again'].map((text) => blobs.put(area, Buffer.from(text))),
  );
  await writeFile(join(root, area, '.broken-off'), 'half a file');
  const long = new Date(Date.now() - 7_200_000);
  for (const name of await readdir(join(root, area))) await utimes(join(root, area, name), long, long);
  await blobs.put(area, Buffer.from('again'));
  await blobs.put(area, Buffer.from('new'));
  const removed = await blobs.removeUnreferred(area, 3_600_000, async () => new Set([kept?.sha256 ?? '']));
  expect(removed).toBe(2);
  expect(await blobs.size(area, kept?.sha256 ?? '')).toBeGreaterThan(0);
  expect(await blobs.size(area, again?.sha256 ?? '')).toBeGreaterThan(0);
  expect(await blobs.size(area, loose?.sha256 ?? '')).toBeUndefined();
  expect((await readdir(join(root, area))).length).toBe(3);
});
