/** Sandboxes while the API server, or the way to it, fails: one is made, none is lost, and no call runs twice. */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bashCall, outcomeText, shell, signal } from '../contract.ts';
import { type FakeCluster, startFakeCluster } from './fake-cluster.ts';
import type { KubernetesHands } from './hands.ts';
import { podName } from './names.ts';

const BLIND_MS = 1_000;
const sessionId = 'sesn_1';
const NAME = podName({ sessionId, generation: 1 });
let fake: FakeCluster;
let hands: KubernetesHands;
beforeEach(async () => {
  fake = await startFakeCluster();
  hands = fake.open({ blindMs: BLIND_MS });
});
afterEach(async () => await fake.close());

const make = (by = hands, generation = 1) => by.provision({ sessionId, generation }, signal);
const pods = () => fake.api.pods.list().map(({ metadata }) => metadata.name);
const count = (asked: string) => fake.api.requests.filter((one) => one === asked).length;
const soon = (what: () => unknown) => expect.poll(what, { interval: 5, timeout: 5_000 });
/** Waits until a command that waits has begun. */
const begun = () => soon(() => fake.node.of(NAME).ran).toEqual(['wait']);

test.each(['lost', 'silent', 'stalled', 'garbage'] as const)(
  'a pod that was made, the answer %s: the repeat gets it, and makes no second one',
  async (fault) => {
    const hasty = fake.open({ callMs: 300 });
    fake.api.fault('create pods', fault, 1);
    await expect(make(hasty)).rejects.toThrow(NAME);
    const ref = await make();
    expect(pods()).toEqual([ref.id]);
    expect(count('create pods')).toBe(1);
    expect(await shell(hands, ref, 'hello')).toBe('hello');
  },
);

test.each(['lost', 'silent'] as const)(
  'a sandbox that was handed out, the answer of the lease %s: the repeat gets the same, and its calls',
  async (fault) => {
    const hasty = fake.open({ callMs: 300 });
    fake.api.fault('replace leases', fault, 1);
    await expect(make(hasty)).rejects.toThrow();
    const ref = await make();
    expect(pods()).toEqual([ref.id]);
    expect(await shell(hands, ref, 'hello')).toBe('hello');
    expect(count('create pods')).toBe(1);
  },
);

test('while a pod of the same name is still on its way out, a new one is waited for, and it is the new one', async () => {
  const ref = { sessionId, generation: 1, id: NAME, provider: 'kubernetes' };
  fake.api.fault('create pods', 'lost', 1);
  await expect(make()).rejects.toThrow();
  const old = fake.api.pods.read(NAME).metadata.uid;
  await soon(() => fake.node.sandboxes.has(NAME)).toBe(true);
  fake.api.pods.delete(NAME, 300);
  expect(await make()).toEqual(ref);
  expect(fake.api.pods.read(NAME).metadata.uid).not.toBe(old);
  expect(count('create pods')).toBeGreaterThan(2);
  expect(await shell(hands, ref, 'hello')).toBe('hello');
});

test('a refusal is told with its reason, leaves nothing behind, and is no obstacle to the next attempt', async () => {
  for (const status of [403, 422, 429, 500, 503]) {
    fake.api.fault('create pods', { status }, 1);
    await expect(make()).rejects.toThrow(`${NAME}: The test wants it.`);
  }
  expect(pods()).toEqual([]);
  expect((await make()).id).toBe(NAME);
});

test('several workers that make the same generation at once hand out one sandbox', async () => {
  const workers = [hands, fake.open(), fake.open()];
  const refs = await Promise.all(workers.map((worker) => make(worker)));
  for (const ref of refs) expect(ref).toEqual(refs[0]);
  expect(pods()).toHaveLength(1);
});

test('a worker that fails to make a sandbox does not end it when another one has handed it out', async () => {
  const { checkpoints } = fake.options;
  const restore = {
    ...(await checkpoints.put(sessionId, Readable.from([zstdCompressSync('files')]))),
    takenAt: 'then',
  };
  let fail: (() => void) | undefined;
  const get = () =>
    new Promise<never>((_resolve, reject) => {
      fail = () => reject(new Error('The blob store is away.'));
    });
  const slow = fake
    .open({ checkpoints: { ...checkpoints, get } })
    .provision({ sessionId, generation: 1, restore }, signal);
  await soon(() => fail).toBeTruthy();
  const ref = await hands.provision({ sessionId, generation: 1, restore }, signal);
  fail?.();
  await expect(slow).rejects.toThrow('The blob store is away.');
  await sleep(50);
  expect(await shell(hands, ref, 'hello')).toBe('hello');
});

test('a sandbox that cannot be made is not left behind', async () => {
  const restore = { key: 'none', sha256: 'none', bytes: 1, takenAt: 'then' };
  await expect(hands.provision({ sessionId, generation: 1, restore }, signal)).rejects.toThrow('no checkpoint');
  await soon(pods).toEqual([]);
});

test('a generation that was lost is not made again', async () => {
  const ref = await make();
  fake.api.pods.delete(NAME, 0);
  expect(await make(fake.open())).toEqual(ref);
  expect(pods()).toEqual([]);
  expect(await hands.execute(ref, bashCall('x', { attempt: 2 }), signal)).toMatchObject({ kind: 'lost' });
});

test('the next generation ends the last, also when that is said twice and its answer is lost', async () => {
  await make();
  fake.api.fault('delete pods', 'lost', 1);
  await expect(make(hands, 2)).rejects.toThrow();
  const next = await make(hands, 2);
  await soon(pods).toEqual([next.id]);
});

test('an API server that is away: calls that run go on, and new ones run', async () => {
  const ref = await make();
  const running = hands.execute(ref, bashCall('wait'), signal);
  await begun();
  await fake.api.goAway();
  expect(await shell(hands, ref, 'during', { thread: 'other' })).toBe('during');
  await sleep(BLIND_MS);
  fake.node.of(NAME).release();
  expect(outcomeText(await running)).toBe('wait');
  await fake.api.comeBack();
});

test('an API server that is away and a connection that breaks: the call is found again, and runs once', async () => {
  const ref = await make();
  const running = hands.execute(ref, bashCall('wait'), signal);
  await begun();
  await fake.api.goAway();
  const sandbox = fake.node.of(NAME);
  await sandbox.vanish();
  await sandbox.comeBack();
  sandbox.release();
  expect(outcomeText(await running)).toBe('wait');
  expect(sandbox.ran).toEqual(['wait']);
});

test('an API server that is away and a sandbox that is silent: waited for, then an error in words, never "lost"', async () => {
  const ref = await make();
  const call = bashCall('wait');
  const running = hands.execute(ref, call, signal);
  await begun();
  const sandbox = fake.node.of(NAME);
  await fake.api.goAway();
  const began = Date.now();
  await sandbox.vanish();
  await expect(running).rejects.toThrow(/^Nothing was heard of the sandbox lh-.* the API server cannot be asked/);
  expect(Date.now() - began).toBeGreaterThan(BLIND_MS);
  expect(Date.now() - began).toBeLessThan(BLIND_MS * 5);
  // The next attempt finds what the first one began.
  await fake.api.comeBack();
  await sandbox.comeBack();
  sandbox.release();
  expect(outcomeText(await fake.open().execute(ref, { ...call, attempt: 2 }, signal))).toBe('wait');
  expect(sandbox.ran).toEqual(['wait']);
});

test.each([{ status: 500 }, { status: 503 }, { status: 429 }, 'reset'] as const)(
  'a worker that does not know the sandbox yet waits out a burst of %o',
  async (fault) => {
    const ref = await make();
    const other = fake.open({ blindMs: BLIND_MS * 5 });
    fake.api.fault('read pods', fault, 3);
    expect(await shell(other, ref, 'hello')).toBe('hello');
    expect(count('read pods')).toBe(4);
  },
);

test('a worker that does not know the sandbox yet waits for an API server that is away, for its time', async () => {
  const ref = await make();
  await fake.api.goAway();
  const patient = fake.open({ blindMs: BLIND_MS * 10 });
  const found = shell(patient, ref, 'found');
  const given = fake.open({ blindMs: 300 }).execute(ref, bashCall('given up'), signal);
  await expect(given).rejects.toThrow('cannot be asked about it');
  await fake.api.comeBack();
  expect(await found).toBe('found');
  expect(fake.node.of(NAME).ran).toEqual(['found']);
});

test('an end that no watch told is noticed by the call that waits', async () => {
  const ref = await make();
  const running = hands.execute(ref, bashCall('wait'), signal);
  await begun();
  for (const watch of fake.api.watches) watch.mute();
  fake.api.fault('watch pods', 'deaf');
  fake.api.pods.delete(NAME, 0);
  expect(await running).toMatchObject({ kind: 'lost', started: 'maybe' });
});

test('a sandbox that is silent while its pod seems well is ended, and the call is lost, not repeated', async () => {
  const ref = await make();
  const running = hands.execute(ref, bashCall('wait'), signal);
  await begun();
  await fake.node.of(NAME).vanish();
  expect(await running).toMatchObject({ kind: 'lost', started: 'maybe' });
  await soon(pods).toEqual([]);
});

test('a release can be repeated, whatever became of its answer', async () => {
  const ref = await make();
  fake.api.fault('delete pods', 'lost', 1);
  await expect(hands.release(ref)).rejects.toThrow();
  await hands.release(ref);
  await soon(pods).toEqual([]);
  await hands.release(ref);
});
