/** The warm pool when the API server, or another worker, is in the way. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bashCall, outcomeText, signal } from '../contract.ts';
import { type FakeCluster, startFakeCluster } from './fake-cluster.ts';
import type { KubernetesHands } from './hands.ts';
import { LABELS } from './names.ts';

let fake: FakeCluster;
let hands: KubernetesHands;
beforeEach(async () => {
  fake = await startFakeCluster();
  hands = fake.open();
});
afterEach(async () => await fake.close());

const make = (sessionId: string, by = hands) => by.provision({ sessionId, generation: 1 }, signal);
const inState = (state: string) =>
  fake.api.pods
    .list(`${LABELS.state}=${state}`)
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .map(({ metadata }) => metadata.name);
const sandboxesOf = (sessionId: string) =>
  fake.api.pods.list().filter(({ metadata }) => metadata.annotations?.['longhand/session-id'] === sessionId);
const claimIt = (name: string) =>
  fake.api.pods.patch(name, { metadata: { labels: { [LABELS.state]: 'claimed', [LABELS.session]: 'rival' } } });

test('a pod that a rival changed at this moment is not taken: the next one is', async () => {
  await hands.refill(2, signal);
  let lost = '';
  const before = ({ name }: { name: string }) => {
    lost = name;
    claimIt(name);
  };
  fake.api.fault('patch pods', { before }, 1);
  const ref = await make('one');
  expect(inState('claimed').sort()).toEqual([ref.id, lost].sort());
  expect(ref.id).not.toBe(lost);
  expect(fake.node.of(lost).config.generation).toBe(0);
});

test('when rivals take all, a sandbox is made from nothing', async () => {
  await hands.refill(2, signal);
  fake.api.fault('patch pods', { before: ({ name }) => claimIt(name) });
  expect((await make('one')).id).toMatch(/^lh-[0-9a-f]{20}-1$/);
});

test('many claims by several workers at once never get the same pod', async () => {
  await hands.refill(4, signal);
  const workers = [hands, fake.open(), fake.open()];
  // They know then what is ready.
  for (const worker of workers) await worker.refill(4, signal);
  const refs = await Promise.all(Array.from({ length: 8 }, (_, i) => make(`s${i}`, workers[i % 3])));
  expect(new Set(refs.map(({ id }) => id)).size).toBe(8);
  for (const [i, { id }] of refs.entries()) expect(fake.node.of(id).config.sessionId).toBe(`s${i}`);
});

test.each(['lost', 'silent', 'stalled', 'garbage'] as const)(
  'a claim that was done, its answer %s: the repeat gets the same pod, and no second one',
  async (fault) => {
    const hasty = fake.open({ callMs: 300 });
    await hands.refill(2, signal);
    await hasty.refill(2, signal);
    fake.api.fault('patch pods', fault, 1);
    await expect(make('one', hasty)).rejects.toThrow();
    const [claimed] = inState('claimed');
    expect((await make('one')).id).toBe(claimed);
    expect(sandboxesOf('one')).toHaveLength(1);
    expect(inState('ready')).toHaveLength(1);
  },
);

test('a pod that could not be made ready, and was made so and claimed by another meanwhile, is left alone', async () => {
  const done = fake.api.fault('patch pods', {
    // Another worker of the same pool is faster, and a session has it before we look again.
    before({ name }) {
      done();
      claimIt(name);
      fake.api.fault('read pods', 'reset', 1);
    },
  });
  await hands.refill(1, signal).catch(() => undefined);
  expect(inState('claimed')).toHaveLength(1);
});

test('the label "ready" that was written, its answer lost: the pod is not taken from who claims it', async () => {
  const claimed: string[] = [];
  fake.api.fault('patch pods', 'lost', 1);
  fake.api.fault('delete pods', {
    before({ name }) {
      claimIt(name);
      claimed.push(name);
    },
  });
  await hands.refill(1, signal).catch(() => undefined);
  for (const name of claimed) expect(inState('claimed')).toContain(name);
  expect([...inState('ready'), ...inState('claimed')]).toHaveLength(1);
});

test('two that fill the pool at once, also in one process, get on: the pods are ready, and no more than asked for', async () => {
  const other = fake.open();
  await hands.refill(1, signal);
  const [name = ''] = inState('ready');
  fake.api.pods.patch(name, { metadata: { labels: { [LABELS.state]: 'starting' } } });
  await Promise.all([hands.refill(1, signal), hands.refill(1, signal), other.refill(1, signal)]);
  expect(inState('ready')).toEqual([name]);
  expect(fake.logged.filter((line) => line.startsWith('pool:'))).toEqual([]);
});

test('a pod that is still looked at for the pool is a sandbox like any other for who claims it', async () => {
  await hands.refill(1, signal);
  const [name = ''] = inState('ready');
  fake.api.pods.patch(name, { metadata: { labels: { [LABELS.state]: 'starting' } } });
  let go: (() => void) | undefined;
  fake.api.fault('patch pods', { before: () => new Promise<void>((resolve) => (go = resolve)) }, 1);
  const filling = hands.refill(1, signal);
  await expect.poll(() => go, { interval: 5 }).toBeTruthy();
  fake.api.pods.patch(name, { metadata: { labels: { [LABELS.state]: 'ready' } } });
  await hands.refill(1, signal);
  const ref = await make('one');
  expect(ref.id).toBe(name);
  const running = hands.execute(ref, bashCall('wait'), signal);
  await expect.poll(() => fake.node.of(name).ran, { interval: 5 }).toEqual(['wait']);
  go?.();
  await filling;
  fake.node.of(name).release();
  expect(outcomeText(await running)).toBe('wait');
  expect(inState('claimed')).toEqual([name]);
});

test('pods whose making was done, the answer lost, are found by the next refill', async () => {
  fake.api.fault('create pods', 'lost', 2);
  await expect(hands.refill(2, signal)).rejects.toThrow('The pool cannot be filled');
  await hands.refill(2, signal);
  expect(inState('ready')).toHaveLength(2);
  expect(fake.api.pods.list()).toHaveLength(2);
});
