import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlobMissingError, type Blobs } from './blobs.ts';
import { externalize, internalize, jsonBytes, PART_LIMIT, PartPathError, type Parts, planParts } from './parts.ts';

function memoryBlobs(): Pick<Blobs, 'put' | 'get'> & { size: () => number } {
  const stored = new Map<string, Buffer>();
  return {
    size: () => stored.size,
    async put(_session, body) {
      const sha256 = createHash('sha256').update(body).digest('hex');
      stored.set(sha256, Buffer.from(body));
      return { sha256, bytes: body.byteLength };
    },
    async get(session, sha256) {
      const body = stored.get(sha256);
      if (!body) throw new BlobMissingError(session, sha256);
      return body;
    },
  };
}

async function roundTrip(value: Parts<unknown>, limit = PART_LIMIT) {
  const blobs = memoryBlobs() as unknown as Blobs;
  const out = await externalize('sesn_1', value, blobs, limit);
  const back = await internalize('sesn_1', structuredClone(out), blobs);
  return { out, back };
}

describe('large parts of an event', () => {
  test('a small event stays as it is, without a list of parts', async () => {
    const value = { event: { type: 'user.message', content: [{ type: 'text', text: 'hello' }] } };
    const { out } = await roundTrip(value);
    expect(out).toEqual(value);
    expect('blobs' in out).toBe(false);
  });

  test('a large string leaves alone, as its own bytes', async () => {
    const image = 'A'.repeat(200_000);
    const content = [
      { type: 'text', text: 'look' },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: image } },
    ];
    const { out, back } = await roundTrip({ event: { type: 'user.message', content } });
    expect(out.blobs).toEqual([
      { at: '/event/content/1/source/data', sha256: createHash('sha256').update(image).digest('hex'), bytes: 200_000 },
    ]);
    expect(back.event).toEqual({ type: 'user.message', content });
  });

  test('many small parts that are large together leave as one', async () => {
    const content = Array.from({ length: 1000 }, (_, i) => ({ type: 'text', text: `line ${i}` }));
    const { out, back } = await roundTrip({ event: { type: 'user.message', content } });
    expect(out.blobs).toHaveLength(1);
    expect(out.blobs?.[0]).toMatchObject({ at: '/event/content', json: true });
    expect(back.event).toEqual({ type: 'user.message', content });
  });

  test('a large string inside a list that is itself too large is kept apart from the rest of the list', async () => {
    const content = [
      { type: 'image', source: { data: 'B'.repeat(100_000) } },
      ...Array.from({ length: 500 }, (_, i) => ({ type: 'text', text: `a line of some length, number ${i}` })),
    ];
    const { out, back } = await roundTrip({ event: { content } });
    expect(out.blobs?.map((part) => part.at)).toEqual(['/event/content', '/event/content/0/source/data']);
    expect(back.event).toEqual({ content });
  });

  test('a hundred large strings do not make a hundred references', async () => {
    const content = Array.from({ length: 100 }, (_, i) => ({ type: 'text', text: `${i}`.repeat(20_000) }));
    const { out, back } = await roundTrip({ event: { content } });
    expect(out.blobs).toHaveLength(1);
    expect(back.event).toEqual({ content });
  });

  test.each([
    [
      'the event and what is private share the limit',
      { event: { a: 'x'.repeat(9000) }, private: { summary: 'y'.repeat(9000) } },
    ],
    [
      'an object of very many keys',
      { event: { input: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, i])) } },
    ],
    ['keys that look like pointers', { event: { 'a/b~c': { '~1': 'z'.repeat(40_000) } } }],
    ['text outside ASCII is measured in bytes', { event: { text: '漢'.repeat(6_000) } }],
    ['a lone surrogate', { event: { text: `${'s'.repeat(20_000)}\ud800` } }],
    ['U+0000', { event: { text: `${'\0'.repeat(20_000)}` } }],
    ['a key called __proto__', { event: JSON.parse(`{"__proto__":{"x":"${'p'.repeat(20_000)}"}}`) }],
  ])('comes back exactly, and small in between: %s', async (_name, value) => {
    const { out, back } = await roundTrip(value);
    expect(JSON.stringify(back)).toBe(JSON.stringify(value));
    expect(jsonBytes({ event: out.event, private: out.private })).toBeLessThanOrEqual(PART_LIMIT);
  });

  test('the identifying fields of an event stay inside it', () => {
    const plan = planParts({ event: { id: 'sevt_1', type: 'user.message', content: 'x'.repeat(400) } }, 200);
    expect(plan.value.event).toMatchObject({ id: 'sevt_1', type: 'user.message', content: null });
  });

  test('any JSON value survives at any limit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.integer({ min: 150, max: 600 }),
        async (event, limit) => {
          const value = { event: JSON.parse(JSON.stringify(event)) as unknown };
          const { back } = await roundTrip(value, limit);
          expect(JSON.stringify(back)).toBe(JSON.stringify(value));
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a missing blob and a pointer to nothing are named', async () => {
    const blobs = memoryBlobs();
    const part = { at: '/event/x', sha256: 'f'.repeat(64), bytes: 1 };
    await expect(internalize('sesn_1', { event: { x: null }, blobs: [part] }, blobs)).rejects.toThrow(BlobMissingError);
    const name = await blobs.put('sesn_1', Buffer.from('x'));
    const nowhere = { event: {}, blobs: [{ at: '/event/x', ...name }] };
    await expect(internalize('sesn_1', nowhere, blobs)).rejects.toThrow(PartPathError);
  });
});
