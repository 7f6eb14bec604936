import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BlobCorruptError, BlobMissingError, type Blobs } from './blobs.ts';
import { openLocalBlobs } from './local.ts';

let root: string;
let blobs: Blobs;
beforeAll(async () => {
  root = join(await mkdtemp(join(tmpdir(), 'blobs-')), 'blobs');
  blobs = await openLocalBlobs(root);
});
afterAll(() => rm(join(root, '..'), { recursive: true }));

test('what is put is read back, once stored, and private to its session', async () => {
  const name = await blobs.put('sesn_1', Buffer.from('hello'));
  expect(await blobs.put('sesn_1', Buffer.from('hello'))).toEqual(name);
  expect((await blobs.get('sesn_1', name.sha256)).toString()).toBe('hello');
  await expect(blobs.get('sesn_2', name.sha256)).rejects.toBeInstanceOf(BlobMissingError);
  expect((await stat(root)).mode & 0o777).toBe(0o700);
});

test('a stream is stored under the same name as its bytes, and nothing is kept past the limit', async () => {
  const name = await blobs.putStream('sesn_3', Readable.from([Buffer.from('he'), Buffer.from('llo')]));
  expect(name).toEqual(await blobs.put('sesn_3', Buffer.from('hello')));
  await expect(blobs.putStream('sesn_3', Readable.from([Buffer.alloc(100)]), 50)).rejects.toThrow('limit of 50 bytes');
  expect(await readdir(join(root, 'sesn_3'))).toEqual([name.sha256]);
});

test('bytes that were changed on the disk are not given out', async () => {
  const name = await blobs.put('sesn_4', Buffer.from('hello'));
  await writeFile(join(root, 'sesn_4', name.sha256), 'HELLO');
  await expect(blobs.get('sesn_4', name.sha256)).rejects.toBeInstanceOf(BlobCorruptError);
  await expect((await blobs.getStream('sesn_4', name.sha256)).toArray()).rejects.toBeInstanceOf(BlobCorruptError);
});

test('a name that climbs out of the folder is refused', async () => {
  await expect(blobs.get('../etc', 'a'.repeat(64))).rejects.toThrow('Not a session id');
  await expect(blobs.get('sesn_1', '../../etc/passwd')).rejects.toThrow('Not a SHA-256');
});
