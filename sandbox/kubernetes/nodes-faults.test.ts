/** Nodes of which only some isolate: each shows it before the first sandbox on it is handed out. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { signal } from '../contract.ts';
import { DEFAULT_TARGET, type Target } from '../targets.ts';
import { type FakeCluster, startFakeCluster } from './fake-cluster.ts';
import { LABELS } from './names.ts';

const targets = new Map<string, Target>([
  [
    'gpu',
    {
      nodeSelector: { pool: 'gpu' },
      tolerations: [{ key: 'gpu', operator: 'Exists' }],
      resources: { 'nvidia.com/gpu': 1 },
      image: 'image-with-a-driver',
    },
  ],
]);
let fake: FakeCluster;
/** What canaries were made of. */
let canaries: string[];
/** Nodes whose kernel is not gVisor's, and nodes whose network lets everything through. */
let [bare, open]: Set<string>[] = [];
beforeEach(async () => {
  fake = await startFakeCluster();
  [bare, open] = [new Set(), new Set()];
  canaries = [];
  fake.api.pods.follow(0, ({ type, object: { metadata, spec } }) => {
    const isCanary = metadata.annotations?.['longhand/session-id']?.startsWith('canary-');
    if (type === 'ADDED' && isCanary) canaries.push(JSON.stringify(spec));
  });
  fake.node.says = (command, node) => {
    if (command.includes('/proc/version')) return bare?.has(node) ? 'Linux version 6.1 (debian)' : 'Linux (gVisor)';
    return command.includes('/dev/tcp/') ? `${open?.has(node) ? 'open 0\n' : ''}knocked` : command;
  };
});
afterEach(async () => await fake.close());

const inUse = () => fake.api.pods.list().filter(({ metadata }) => !metadata.deletionTimestamp);
const ready = (target?: string) =>
  fake.api.pods.list(`${LABELS.state}=ready`).filter(({ spec }) => !target || JSON.stringify(spec).includes('gpu'));

test('the node of the first look is not looked at again; another is, once, by pods that fit beside what is there', async () => {
  const hands = fake.open({ targets });
  await hands.probe();
  canaries = [];
  await hands.provision({ sessionId: 'one', generation: 1 }, signal);
  expect(canaries).toEqual([]);
  fake.node.name = 'node-2';
  await Promise.all(
    ['two', 'three'].map((sessionId) => hands.provision({ sessionId, generation: 1, target: 'gpu' }, signal)),
  );
  expect(canaries).toHaveLength(2);
  for (const spec of canaries) {
    expect(spec).toContain('"matchFields":[{"key":"metadata.name","operator":"In","values":["node-2"]}]');
    expect(spec).toContain('"nodeSelector":{"pool":"gpu"}');
    expect(spec).toContain('image-with-a-driver');
    expect(spec).not.toContain('nvidia.com/gpu');
  }
  await hands.provision({ sessionId: 'four', generation: 1 }, signal);
  expect(canaries).toHaveLength(2);
  expect(inUse()).toHaveLength(4);
});

test.each([
  ['another runtime', () => bare, /node node-2 takes no sandboxes: .*does not lead to gVisor.*6\.1/],
  ['a network that is open', () => open, /node node-2 takes no sandboxes: .*network policy is not enforced/],
])(
  'a node with %s gets no sandbox, and leaves none behind',
  async (_what, unsafe, words) => {
    const hands = fake.open();
    await hands.probe();
    fake.node.name = 'node-2';
    unsafe()?.add('node-2');
    await expect(hands.provision({ sessionId: 'one', generation: 1 }, signal)).rejects.toThrow(words);
    // The second does not make two pods more to find out.
    canaries = [];
    await expect(hands.provision({ sessionId: 'two', generation: 1 }, signal)).rejects.toThrow(words);
    expect(canaries).toEqual([]);
    expect(inUse()).toEqual([]);
    fake.node.name = 'node-1';
    await hands.provision({ sessionId: 'one', generation: 2 }, signal);
  },
  30_000,
);

test('a pod on such a node does not become ready', async () => {
  const hands = fake.open();
  await hands.probe();
  fake.node.name = 'node-2';
  bare?.add('node-2');
  await hands.refill(1, signal);
  expect(ready()).toEqual([]);
  expect(fake.logged.join('\n')).toMatch(/did not become ready: The node node-2 takes no sandboxes/);
  fake.node.name = 'node-1';
  await hands.refill(1, signal);
  expect(ready()).toHaveLength(1);
});

test('what cannot become ready is not made again and again', async () => {
  const hands = fake.open({ warmPool: new Map([[DEFAULT_TARGET, 1]]) });
  await hands.probe();
  fake.node.name = 'node-2';
  bare?.add('node-2');
  let made = 0;
  fake.api.pods.follow(0, ({ type, object }) => {
    if (type === 'ADDED' && object.metadata.labels?.[LABELS.pool]) made++;
  });
  const stop = new AbortController();
  const keeping = hands.stock.keep(60_000, stop.signal);
  await sleep(3_000);
  stop.abort();
  await keeping;
  expect(made).toBe(1);
});

test('before the first look nothing is looked at', async () => {
  await fake.open().provision({ sessionId: 'one', generation: 1 }, signal);
  expect(canaries).toEqual([]);
});

test('each target has ready pods of its own make, and what is taken is made again', async () => {
  const warmPool = new Map([
    [DEFAULT_TARGET, 1],
    ['gpu', 2],
    ['as the ordinary', 1],
  ]);
  const hands = fake.open({ targets: new Map([...targets, ['as the ordinary', {}]]), warmPool });
  expect(hands.stock.size).toBe(4);
  const stop = new AbortController();
  const keeping = hands.stock.keep(60_000, stop.signal);
  await expect.poll(() => [ready().length, ready('gpu').length]).toEqual([4, 2]);
  const ref = await hands.provision({ sessionId: 'one', generation: 1, target: 'gpu' }, signal);
  expect(ref.id).toMatch(/^lh-pool-/);
  expect(JSON.stringify(fake.api.pods.list().find(({ metadata }) => metadata.name === ref.id)?.spec)).toContain('gpu');
  await expect.poll(() => [ready().length, ready('gpu').length]).toEqual([4, 2]);
  stop.abort();
  await keeping;
  // Another make of one target: only its pods are of yesterday.
  const newer = fake.open({ targets: new Map([['gpu', { nodeSelector: { pool: 'gpu-2' } }]]) });
  await newer.refill(1, signal, 'gpu');
  await expect.poll(() => [ready().length, ready('gpu').length]).toEqual([3, 1]);
});
