/** The hands do not become ready on a cluster that does not isolate, and say what is missing. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallOutcome, SandboxSpec } from '../hands.ts';
import { probeCluster } from './canary.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from './testing.ts';

const missing = clusterMissing();

describe.skipIf(missing)(`the canary${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let subject: KubernetesSubject;
  const open = `longhand-open-${randomBytes(3).toString('hex')}`;
  beforeAll(async () => {
    subject = await openTestHands();
    await subject.cluster.core.createNamespace({ body: { metadata: { name: open } } });
  });
  afterAll(async () => {
    await subject?.cluster.core.deleteNamespace({ name: open });
    await subject?.dispose();
  }, 60_000);

  const pods = async (namespace: string) => {
    const { items } = await subject.cluster.core.listNamespacedPod({ namespace });
    return items.filter(({ metadata }) => metadata?.annotations?.['longhand/session-id']?.startsWith('canary-'));
  };

  test('passes where pods run under gVisor and the policies hold, and leaves nothing behind', async () => {
    await subject.hands.probe();
    await expect.poll(async () => (await pods(subject.options.namespace)).length, { timeout: 20_000 }).toBe(0);
  }, 60_000);

  test('names the network policy in a namespace without one', async () => {
    const hands = subject.open({ namespace: open });
    await expect(hands.probe()).rejects.toThrow(
      /the network policy is not enforced: a sandbox can reach another sandbox.*2-network\.yaml/,
    );
  }, 90_000);

  test('names a RuntimeClass that is not there', async () => {
    const hands = subject.open({ namespace: open, runtimeClass: 'no-such-runtime' });
    await expect(hands.probe()).rejects.toThrow(/no sandbox can be made.*no-such-runtime/);
  }, 60_000);

  test('names an image that cannot be had', async () => {
    const hands = subject.open({ namespace: open, image: 'Not An Image' });
    await expect(hands.probe()).rejects.toThrow(/no sandbox can be made.*container \w+ does not start/);
  }, 60_000);

  test('names a RuntimeClass that leads to another runtime', async () => {
    // No other runtime can be had here, so the kernel's words are another's.
    const said = 'Linux version 6.1.0 (debian-kernel@lists.debian.org)';
    const finished: CallOutcome = {
      kind: 'finished',
      content: [{ type: 'text', text: said }],
      ...{ isError: false, startedAt: '', finishedAt: '' },
    };
    const { cluster, options } = subject;
    const hands = {
      provision: async ({ sessionId, generation }: SandboxSpec) => ({ sessionId, generation, id: 'x', provider: 'x' }),
      execute: async () => finished,
      release: async () => undefined,
    };
    const { namespace } = options;
    await expect(probeCluster({ hands, cluster, namespace, runtimeClass: 'runc' })).rejects.toThrow(
      /RuntimeClass "runc" does not lead to gVisor.*6\.1\.0/,
    );
  });
});
