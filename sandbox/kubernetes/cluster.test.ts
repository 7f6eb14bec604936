/** The way to the API server when that is slow, away or wrong, by the real client. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cluster, orMissing, statusOf, wordsOf } from './cluster.ts';
import { type FakeApiServer, startFakeApi } from './fake-api-server.ts';

const CALL_MS = 200;
const namespace = 'n';
let api: FakeApiServer;
let cluster: Cluster;
beforeEach(async () => {
  api = await startFakeApi();
  cluster = api.connect(CALL_MS);
});
afterEach(async () => await api.close());

const read = (name: string) => cluster.core.readNamespacedPod({ namespace, name });
const failure = async (act: Promise<unknown>): Promise<Error> =>
  await act.then(
    () => Promise.reject(new Error('It did not fail.')),
    (error: Error) => error,
  );

test.each(['deaf', 'stalled'] as const)('a call whose answer is %s ends at its deadline', async (fault) => {
  api.pods.create({ metadata: { name: 'one' } as never });
  api.fault('read pods', fault, 1);
  const began = Date.now();
  const error = await failure(read('one'));
  expect(error.name).toBe('TimeoutError');
  expect(Date.now() - began).toBeGreaterThan(CALL_MS - 20);
  expect(Date.now() - began).toBeLessThan(CALL_MS * 10);
  expect((await read('one')).metadata?.name).toBe('one');
});

test('many calls share few connections', async () => {
  for (let i = 0; i < 10; i++) await cluster.core.listNamespacedPod({ namespace });
  for (let i = 0; i < 10; i++) await cluster.coordination.listNamespacedLease({ namespace });
  // One, or a second where the first was not quite done with the answer before.
  expect(api.connections()).toBeLessThanOrEqual(2);
  await Promise.all(Array.from({ length: 4 }, () => cluster.core.listNamespacedPod({ namespace })));
  expect(api.connections()).toBeLessThanOrEqual(6);
});

test('a closed cluster leaves no connection', async () => {
  await cluster.core.listNamespacedPod({ namespace });
  expect(api.open()).toBe(1);
  await cluster.close();
  await expect.poll(() => api.open()).toBe(0);
});

test('not found is no error, and every other refusal is, with its status and the words of the server', async () => {
  expect(await orMissing(read('none'))).toBeUndefined();
  for (const status of [403, 409, 429, 500, 503]) {
    api.fault('read pods', { status }, 1);
    const error = await failure(orMissing(read('none')));
    expect(statusOf(error)).toBe(status);
    expect(wordsOf(error)).toBe('The test wants it.');
  }
});

test('an API server that refuses connections, or breaks them, is an error without a status that says what happened', async () => {
  api.fault('read pods', 'reset', 1);
  const broken = await failure(orMissing(read('none')));
  await api.goAway();
  const refused = await failure(orMissing(read('none')));
  for (const error of [broken, refused]) expect(statusOf(error)).toBeUndefined();
  expect(wordsOf(refused)).toContain('ECONNREFUSED');
  await api.comeBack();
  expect(await orMissing(read('none'))).toBeUndefined();
});
