/** Sandboxes that are kept ready, and orphans that go, by workers that nobody tells to. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { SessionAgent } from '../../events/wire.ts';
import { signal } from '../../sandbox/contract.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from '../../sandbox/kubernetes/testing.ts';
import { homeLayout } from '../../workers/data-folder.ts';
import { SANDBOX_QUERY, type SandboxPlace } from '../../workflows/contract.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';

const missing = clusterMissing();

describe.skipIf(missing)(`upkeep of pods${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let stack: Stack;
  let same: KubernetesSubject;
  beforeAll(async () => {
    stack = await startStack({
      hands: 'kubernetes',
      env: { LONGHAND_WARM_POOL: '1' },
      script: {
        rehearsal: 'A greeting',
        turns: [{ when: 'greet', steps: [{ tools: [{ bash: { command: 'echo hello' } }] }, { text: 'Done.' }] }],
      },
    });
    const key = await readFile(join(homeLayout(stack.home).hands, 'sandbox.key'));
    same = await openTestHands({ key });
  }, 600_000);
  afterAll(async () => {
    await stack?.stop();
    await same?.dispose();
  }, 90_000);

  const pool = async (state: string) => {
    const labelSelector = `longhand/state=${state}`;
    const { items } = await same.cluster.core.listNamespacedPod({ namespace: same.options.namespace, labelSelector });
    return items.filter(({ metadata }) => !metadata?.deletionTimestamp).map(({ metadata }) => metadata?.name);
  };

  test('a session gets the pod that was ready, and another takes its place, also after the worker was killed', async () => {
    await expect.poll(() => pool('ready'), { timeout: 30_000 }).toHaveLength(1);
    const tools = [
      {
        type: 'agent_toolset_20260401',
        default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
        configs: [],
      } as unknown as SessionAgent['tools'][number],
    ];
    const [ready] = await pool('ready');
    const session = await startDirectSession(stack, { tools });
    await session.turn('greet', 60_000);
    const handle = stack.temporalClient.workflow.getHandle(sessionWorkflowId(session.id));
    expect((await handle.query<SandboxPlace>(SANDBOX_QUERY)).ref?.id).toBe(ready);
    await stack.hands.kill();
    await stack.hands.start();
    await expect
      .poll(async () => (await pool('ready')).filter((name) => name !== ready).length, { timeout: 60_000 })
      .toBe(1);
  }, 200_000);

  test('a sandbox whose session is no more is gone within five minutes', async () => {
    const orphan = await same.hands.provision({ sessionId: 'sesn_nobody', generation: 1 }, signal);
    const { namespace } = same.options;
    const there = async () =>
      (await same.cluster.core.readNamespacedPod({ namespace, name: orphan.id }).catch(() => undefined)) !== undefined;
    await expect.poll(there, { timeout: 300_000, interval: 5_000 }).toBe(false);
  }, 330_000);
});
