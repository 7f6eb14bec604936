/** What every blob store must do; `local.test.ts` and `s3.test.ts` hold theirs to it. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BlobMissingError, type Blobs, BlobTooLargeError } from './blobs.ts';

/** Registers the tests. @param tickMs - how far apart two times of writing must be to be told from one another. */
export function blobsContract(blobs: () => Blobs, tickMs: number): void {
  test('what is put is read back, once stored, and private to its session', async () => {
    const name = await blobs().put('sesn_1', Buffer.from('hello'));
    expect(await blobs().put('sesn_1', Buffer.from('hello'))).toEqual(name);
    expect((await blobs().get('sesn_1', name.sha256)).toString()).toBe('hello');
    expect(await blobs().size('sesn_1', name.sha256)).toBe(5);
    await expect(blobs().get('sesn_2', name.sha256)).rejects.toBeInstanceOf(BlobMissingError);
    await expect(blobs().getStream('sesn_2', name.sha256)).rejects.toBeInstanceOf(BlobMissingError);
    expect(await blobs().size('sesn_2', name.sha256)).toBeUndefined();
  });

  test('a stream is stored under the same name as its bytes, also one of many parts, and an empty one', async () => {
    for (const bytes of [0, 5, 20_000_000]) {
      const body = randomBytes(bytes);
      const name = await blobs().putStream('sesn_3', Readable.from(chunks(body)));
      expect(name).toEqual(await blobs().put('sesn_3', body));
      expect(Buffer.concat(await (await blobs().getStream('sesn_3', name.sha256)).toArray()).equals(body)).toBe(true);
    }
  });

  test('nothing is kept of a stream past the limit, or of one that breaks off', async () => {
    const before = await blobs().removeUnreferred('sesn_4', -60_000, async () => new Set());
    expect(before).toBe(0);
    await expect(
      blobs().putStream('sesn_4', Readable.from(chunks(Buffer.alloc(9_000_000))), 8_500_000),
    ).rejects.toBeInstanceOf(BlobTooLargeError);
    const broken = Readable.from(
      (async function* () {
        yield* chunks(Buffer.alloc(9_000_000));
        throw new Error('the sandbox is gone');
      })(),
    );
    await expect(blobs().putStream('sesn_4', broken)).rejects.toThrow('the sandbox is gone');
    expect(await blobs().removeUnreferred('sesn_4', -60_000, async () => new Set())).toBe(0);
  });

  test('a part of a blob is read alone', async () => {
    const name = await blobs().put('wrkspc_1', Buffer.from('0123456789'));
    const read = async (start: number, end: number) =>
      Buffer.concat(await (await blobs().getStream('wrkspc_1', name.sha256, { start, end })).toArray()).toString();
    expect([await read(2, 4), await read(9, 9), await read(0, 9)]).toEqual(['234', '9', '0123456789']);
  });

  test('a blob that is copied to another area outlives the one that it came from', async () => {
    const name = await blobs().put('wrkspc_2', Buffer.from('shared'));
    await blobs().copy('wrkspc_2', 'sesn_6/inputs', name.sha256);
    await blobs().copy('wrkspc_2', 'sesn_6/inputs', name.sha256);
    await blobs().removeArea('wrkspc_2');
    expect((await blobs().get('sesn_6/inputs', name.sha256)).toString()).toBe('shared');
    await expect(blobs().copy('wrkspc_2', 'sesn_7', name.sha256)).rejects.toBeInstanceOf(BlobMissingError);
    await blobs().removeArea('sesn_6');
    expect(await blobs().size('sesn_6/inputs', name.sha256)).toBeUndefined();
    await blobs().removeArea('sesn_6');
  });

  test('one is removed alone, and removing it again is no error', async () => {
    const [one, two] = await Promise.all(['one', 'two'].map((text) => blobs().put('sesn_8', Buffer.from(text))));
    await blobs().remove('sesn_8', one?.sha256 ?? '');
    await blobs().remove('sesn_8', one?.sha256 ?? '');
    expect(await blobs().size('sesn_8', one?.sha256 ?? '')).toBeUndefined();
    expect(await blobs().size('sesn_8', two?.sha256 ?? '')).toBe(3);
  });

  test('what nobody refers to is removed once it is old; what is referred to, or was stored again, stays', async () => {
    const area = 'wrkspc_5';
    const [kept, loose, again] = await Promise.all(
      ['kept', 'loose', 'again'].map((text) => blobs().put(area, Buffer.from(text))),
    );
    const elsewhere = await blobs().put(`${area}/outputs`, Buffer.from('in a corner of its own'));
    await sleep(2 * tickMs);
    const old = Date.now();
    await sleep(2 * tickMs);
    await blobs().put(area, Buffer.from('again'));
    const removed = await blobs().removeUnreferred(area, Date.now() - old, async () => new Set([kept?.sha256 ?? '']));
    expect(removed).toBe(1);
    for (const one of [kept, again]) expect(await blobs().size(area, one?.sha256 ?? '')).toBeGreaterThan(0);
    expect(await blobs().size(area, loose?.sha256 ?? '')).toBeUndefined();
    expect(await blobs().size(`${area}/outputs`, elsewhere.sha256)).toBe(elsewhere.bytes);
  });

  test('a name that climbs out of its area is refused', async () => {
    await expect(blobs().get('../etc', 'a'.repeat(64))).rejects.toThrow('Not an area');
    await expect(blobs().get('sesn_1', '../../etc/passwd')).rejects.toThrow('Not a SHA-256');
  });
}

function* chunks(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += 300_000) yield body.subarray(at, at + 300_000);
}
