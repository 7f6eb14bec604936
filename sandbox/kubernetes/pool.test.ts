/** Pods that are made ahead of need: never given twice, found again, replaced when they are of yesterday. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bashCall, shell, signal } from '../contract.ts';
import type { KubernetesHands } from './hands.ts';
import { LABELS, ownerHash } from './names.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from './testing.ts';

const missing = clusterMissing();

describe.skipIf(missing)(`the warm pool${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let subject: KubernetesSubject;
  let hands: KubernetesHands;
  beforeAll(async () => {
    subject = await openTestHands();
    hands = subject.hands;
  });
  afterAll(async () => await subject?.dispose(), 60_000);

  const pooled = async (state: string) => {
    const { namespace, key } = subject.options;
    const labelSelector = `${LABELS.owner}=${ownerHash(key)},${LABELS.state}=${state}`;
    const { items } = await subject.cluster.core.listNamespacedPod({ namespace, labelSelector });
    return items.filter(({ metadata }) => !metadata?.deletionTimestamp).map(({ metadata }) => metadata?.name);
  };
  const make = (sessionId: string, more = {}) => hands.provision({ sessionId, generation: 1, ...more }, signal);

  test('a claimed pod is a sandbox like any other: its own session, generation, calls', async () => {
    await hands.refill(1, signal);
    const [ready] = await pooled('ready');
    const ref = await make('first');
    expect(ref.id).toBe(ready);
    expect(await shell(hands, ref, 'echo hello; pwd')).toBe('hello\n/workspace');
    await expect(hands.execute({ ...ref, generation: 2 }, bashCall('true'), signal)).resolves.toBeTruthy();
    expect(await make('first')).toEqual(ref);
    const other = await subject.reopen();
    expect(await other.provision({ sessionId: 'first', generation: 1 }, signal)).toEqual(ref);
    expect(await shell(other, ref, 'echo again')).toBe('again');
    await other.close();
    await hands.release(ref);
    expect(await hands.execute(ref, bashCall('true'), signal)).toMatchObject({ kind: 'lost', started: 'no' });
  }, 60_000);

  test('many sessions at once, by several workers, never get the same pod; who comes too late gets a new one', async () => {
    await hands.refill(3, signal);
    const ready = await pooled('ready');
    expect(ready).toHaveLength(3);
    const workers = [hands, await subject.reopen(), await subject.reopen()];
    const refs = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        (workers[i % 3] ?? hands).provision({ sessionId: `many-${i}`, generation: 1 }, signal),
      ),
    );
    expect(new Set(refs.map(({ id }) => id)).size).toBe(6);
    expect(refs.filter(({ id }) => ready.includes(id)).length).toBeGreaterThan(0);
    expect(await Promise.all(refs.map((ref, i) => shell(hands, ref, `echo ${i} > me; cat me`)))).toEqual(
      refs.map((_, i) => String(i)),
    );
    await Promise.all(refs.map((ref) => hands.release(ref)));
  }, 120_000);

  test('a checkpoint comes back into a claimed pod, and the model is told', async () => {
    await hands.refill(0, signal);
    const one = await make('moved');
    await shell(hands, one, 'echo text > kept');
    const restore = await hands.checkpoint(one);
    await hands.refill(1, signal);
    const two = await hands.provision({ sessionId: 'moved', generation: 2, restore }, signal);
    expect(two.id).toMatch(/^lh-pool-/);
    expect(await shell(hands, two, 'cat kept')).toMatch(
      /^\[The sandbox was made anew with the files as of .*\]\ntext$/,
    );
    await hands.release(two);
  }, 60_000);

  test('pods of another make are not claimed, and go; too many go too', async () => {
    await hands.refill(2, signal);
    const before = await pooled('ready');
    const newer = subject.open({ lifeSeconds: 3_600 });
    const cold = await newer.provision({ sessionId: 'newer', generation: 1 }, signal);
    expect(before).not.toContain(cold.id);
    await newer.refill(1, signal);
    const after = await pooled('ready');
    expect(after).toHaveLength(1);
    expect(before).not.toContain(after[0]);
    await newer.refill(0, signal);
    expect(await pooled('ready')).toEqual([]);
    await newer.release(cold);
  }, 60_000);
});
