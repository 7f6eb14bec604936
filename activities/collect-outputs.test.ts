/** A sandbox that lies about its outputs: its process of the file tools is the agent's to forge. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OutputListing } from '../sandbox/hands.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { openLocalBlobs } from '../store/blobs/local.ts';
import { DEFAULT_OUTPUT_LIMITS, type OutputList } from '../workflows/contract.ts';
import { collectOutputs } from './collect-outputs.ts';

let root: string;
let blobs: Blobs;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'outputs-'));
  blobs = await openLocalBlobs(root);
});
afterAll(() => rm(root, { recursive: true }));

const sha = (text: string) => createHash('sha256').update(text).digest('hex');
let sessions = 0;
async function collect(files: unknown[], content = 'real', limits = DEFAULT_OUTPUT_LIMITS) {
  const ref = { sessionId: `sesn_${++sessions}`, generation: 1, id: 'x', provider: 'gvisor' };
  const hands = {
    listOutputs: async () => ({ files, problems: [] }) as unknown as OutputListing,
    readFile: async () => Readable.from([Buffer.from(content)]),
  };
  const { list, problems } = await collectOutputs(hands, blobs, { ref, limits });
  const stored = list ? (JSON.parse((await blobs.get(ref.sessionId, list)).toString()) as OutputList).files : [];
  return { files: stored, problems };
}

test('names that climb, or are none, become no files', async () => {
  const names = ['../../etc/passwd', '/etc/passwd', 'a/../../b', './a', 'a//b', '', 7, null, 'x'.repeat(5_000)];
  const { files } = await collect(names.map((path) => ({ path, bytes: 4, sha256: sha('real') })));
  expect(files).toEqual([]);
});

test('hashes and sizes are those of the bytes that came out, whatever was announced', async () => {
  const { files } = await collect([{ path: 'a', bytes: 9, sha256: sha('promised') }]);
  expect(files).toEqual([{ path: 'a', bytes: 4, sha256: sha('real') }]);
  expect((await collect([{ path: 'a', bytes: 1, sha256: 'not a hash' }])).files).toEqual([]);
});

test('more than was announced is cut off at the limit, and said', async () => {
  const limits = { ...DEFAULT_OUTPUT_LIMITS, fileBytes: 3, turnBytes: 3 };
  const { files, problems } = await collect([{ path: 'a', bytes: 1, sha256: sha('x') }], 'much more', limits);
  expect([files, problems]).toEqual([[], ['a grew past the limit while it was read.']]);
  const two = [1, 2].map((n) => ({ path: `${n}`, bytes: 2, sha256: sha(`${n}`) }));
  expect((await collect(two, 'ab', limits)).problems).toEqual([
    '2 has 2 bytes; the new files of one turn may have 3 together.',
  ]);
});

test('no more files are taken than were asked for', async () => {
  const many = Array.from({ length: 20 }, (_, n) => ({ path: `${n}`, bytes: 4, sha256: sha(`${n}`) }));
  expect((await collect(many, 'real', { ...DEFAULT_OUTPUT_LIMITS, files: 5 })).files).toHaveLength(5);
});
