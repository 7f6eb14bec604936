/** Targets on a real cluster: nodes, extended resources, limits and images, and what the admission policy says to them. */
import { randomBytes } from 'node:crypto';
import { PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shell, signal } from '../contract.ts';
import { type Target, TargetRefusedError } from '../targets.ts';
import { LABELS, ownerHash } from './names.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from './testing.ts';

const missing = clusterMissing();
const GIB = 1024 ** 3;
/** On one node, for as long as this file runs. */
const LABEL = `longhand.test/target-${randomBytes(4).toString('hex')}`;
const WIDGET = `longhand.test/widget-${randomBytes(4).toString('hex')}`;

describe.skipIf(missing)(`targets${missing ? ` (skipped: ${missing})` : ''}`, () => {
  const image = process.env.LONGHAND_SANDBOX_IMAGE ?? '';
  const absent = `${image.replace(/:[^:/]*$/, '')}:not-there`;
  const targets = new Map<string, Target>([
    ['placed', { nodeSelector: { [LABEL]: 'yes' }, tolerations: [{ key: LABEL, operator: 'Exists' }] }],
    ['nowhere', { nodeSelector: { [LABEL]: 'no' } }],
    ['widget', { resources: { [WIDGET]: 1 } }],
    ['widgets', { resources: { [WIDGET]: 2 } }],
    ['small', { limits: { pids: 150, memoryBytes: GIB / 2, diskBytes: GIB, cpus: 0.5 } }],
    ['own', { image: absent, images: [image] }],
    ['foreign', { image: 'elsewhere.example/longhand-sandbox:1' }],
    ['routed', { queue: 'hands.routed' }],
  ]);
  let subject: KubernetesSubject;
  let node: string;

  beforeAll(async () => {
    subject = await openTestHands({ targets });
    const { core } = subject.cluster;
    node = (await core.listNode()).items[0]?.metadata?.name ?? '';
    await label('yes');
    await widgets('1');
  }, 60_000);
  afterAll(async () => {
    await label(null);
    await widgets(null);
    await subject?.dispose();
  }, 60_000);

  const merge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  const label = (value: string | null) =>
    subject.cluster.core.patchNode({ name: node, body: { metadata: { labels: { [LABEL]: value } } } }, merge);
  const widgets = (count: string | null) =>
    subject.cluster.core.patchNodeStatus(
      { name: node, body: { status: { capacity: { [WIDGET]: count }, allocatable: { [WIDGET]: count } } } },
      merge,
    );
  const make = (target: string, more: { image?: string; generation?: number } = {}, hands = subject.hands) =>
    hands.provision({ sessionId: `on-${target}`, generation: 1, target, ...more }, signal);
  const podOf = (name: string) =>
    subject.cluster.core.readNamespacedPod({ namespace: subject.options.namespace, name });
  const podsOf = async (sessionId: string) => {
    const { namespace, key } = subject.options;
    const labelSelector = `${LABELS.owner}=${ownerHash(key)}`;
    const { items } = await subject.cluster.core.listNamespacedPod({ namespace, labelSelector });
    return items.filter(({ metadata }) => metadata?.annotations?.['longhand/session-id'] === sessionId);
  };

  test('a sandbox runs on a node with the target’s label, and on no other', async () => {
    const ref = await make('placed');
    const { spec } = await podOf(ref.id);
    expect(spec).toMatchObject({ nodeName: node, nodeSelector: { [LABEL]: 'yes' } });
    expect(spec?.tolerations).toContainEqual({ key: LABEL, operator: 'Exists' });
    expect(await shell(subject.hands, ref, 'echo here')).toBe('here');
    await subject.hands.release(ref);
    const hurried = subject.open({ startMs: 2_000 });
    await expect(make('nowhere', {}, hurried)).rejects.toThrow(/no node takes it: .*node/);
  }, 60_000);

  test('extended resources are given to the shell, and not promised twice', async () => {
    const ref = await make('widget');
    const [supervisor, agent] = (await podOf(ref.id)).spec?.containers ?? [];
    expect(agent?.resources?.limits?.[WIDGET]).toBe('1');
    expect(supervisor?.resources?.limits).not.toHaveProperty(WIDGET);
    expect(await shell(subject.hands, ref, 'echo here')).toBe('here');
    const hurried = subject.open({ startMs: 2_000 });
    await expect(make('widgets', {}, hurried)).rejects.toThrow(/no node takes it: .*Insufficient/);
    await subject.hands.release(ref);
  }, 60_000);

  test('limits are the target’s, also inside', async () => {
    const ref = await make('small');
    const agent = (await podOf(ref.id)).spec?.containers.find(({ name }) => name === 'shell');
    expect(agent?.resources?.limits).toMatchObject({ cpu: '500m' });
    const greedy = "node -e 'Buffer.alloc(700e6, 1); setTimeout(() => {}, 20_000)'";
    expect(await shell(subject.hands, ref, greedy)).toContain('memory limit of 512 MiB');
    await subject.hands.release(ref);
  }, 60_000);

  test('a session gets an image of the target’s list, and no pod for any other', async () => {
    const ref = await make('own', { image });
    expect((await podOf(ref.id)).spec?.containers.map((one) => one.image)).toEqual([image, image]);
    expect(await shell(subject.hands, ref, 'echo here')).toBe('here');
    await expect(make('own', { image: `${image}-evil`, generation: 2 })).rejects.toThrow(TargetRefusedError);
    // What was there before the refusal still is.
    expect(await shell(subject.hands, ref, 'echo still')).toBe('still');
    await subject.hands.release(ref);
    await expect(make('elsewhere')).rejects.toThrow(/no target "elsewhere"/);
    expect(await podsOf('on-elsewhere')).toEqual([]);
  }, 60_000);

  test('a canary looks at the node that it is for, beside what is there, and at no other', async () => {
    const there = subject.open({ node, requestShare: 0.01 });
    await there.probe();
    const ref = await there.provision({ sessionId: 'pinned', generation: 1 }, signal);
    expect((await podOf(ref.id)).spec?.nodeName).toBe(node);
    await there.release(ref);
    const elsewhere = subject.open({ node: 'elsewhere', startMs: 2_000 });
    await expect(elsewhere.probe()).rejects.toThrow(/no node takes it/);
  }, 90_000);

  test('the admission policy has the last word on images', async () => {
    await expect(make('foreign')).rejects.toThrow(/the image of a sandbox begins with/);
  });

  test('ready pods go to sandboxes that are made of the same, and to no others', async () => {
    await subject.hands.refill(1, signal);
    const small = await make('small', { generation: 2 });
    expect(small.id).toMatch(/^lh-[0-9a-f]+-2$/);
    const routed = await make('routed');
    expect(routed.id).toMatch(/^lh-pool-/);
    await subject.hands.refill(1, signal, 'small');
    const warm = await make('small', { generation: 3 });
    expect(warm.id).toMatch(/^lh-pool-/);
    expect((await podOf(warm.id)).spec?.containers.find(({ name }) => name === 'shell')?.resources?.limits?.cpu).toBe(
      '500m',
    );
    await Promise.all([warm, routed].map((ref) => subject.hands.release(ref)));
  }, 60_000);
});
