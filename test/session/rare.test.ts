/** What seldom happens to a session: its sandbox is not there yet when it is interrupted; its request kills workers. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { SessionAgent } from '../../events/wire.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';

const TOOLS = [
  {
    type: 'agent_toolset_20260401',
    default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
    configs: [],
  },
] as unknown as SessionAgent['tools'];

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Seldom',
      turns: [
        { when: 'work', steps: [{ tools: [{ bash: 'echo done >> lines; wc -l < lines' }] }, { text: 'Done.' }] },
        { when: 'still there', steps: [{ text: 'Yes.' }] },
        { when: 'deadly', steps: [{ text: 'You will not read this.', pace: { first_token_ms: 600_000 } }] },
      ],
      fallback: { text: 'Yes.' },
    },
  });
}, 900_000);
afterAll(() => stack?.stop(), 60_000);

/** Activities of the session that a worker has in hand, or that wait for one. */
async function pending(session: string): Promise<{ name: string; attempt: number; started: boolean }[]> {
  const { raw } = await stack.temporalClient.workflow.getHandle(sessionWorkflowId(session)).describe();
  return (raw.pendingActivities ?? []).map(({ activityType, attempt, state }) => ({
    name: activityType?.name ?? '',
    attempt: attempt ?? 0,
    // temporal.api.enums.v1.PendingActivityState
    started: state === 2,
  }));
}

test('an interrupt while the sandbox is being made ends the turn at once, and the next turn has one', async () => {
  const session = await startDirectSession(stack, { tools: TOOLS });
  await session.say('work');
  await expect
    .poll(async () => (await pending(session.id)).some(({ name }) => name === 'provision'), {
      timeout: 20_000,
      interval: 10,
    })
    .toBe(true);
  const asked = Date.now();
  await session.send({ type: 'user.interrupt' });
  const idle = await session.until((event) => event.type === 'session.status_idle');
  expect(Date.now() - asked).toBeLessThan(3_000);
  const events = await session.events();
  const uses = events.filter((event) => event.type === 'agent.tool_use');
  const results = events.filter((event) => event.type === 'agent.tool_result');
  expect(results).toHaveLength(uses.length);
  const from = idle.seq + 1;
  await session.say('work again');
  await session.until((event) => event.type === 'session.status_idle', { from, ms: 60_000 });
  const after = (await session.events()).filter((event) => event.type === 'agent.tool_result').slice(results.length);
  // The first command was never started.
  expect(JSON.stringify(after)).toContain('"text":"1"');
}, 120_000);

test('a request that has killed five workers is given up in the open, and the session lives on', async () => {
  const session = await startDirectSession(stack, { settings: { retryInitialMs: 50, retryLimit: 1 } });
  await session.say('deadly');
  for (let crash = 1; crash <= 5; crash += 1) {
    await expect
      .poll(
        async () =>
          (await pending(session.id)).some(
            ({ name, attempt, started }) => name === 'sample' && started && attempt >= crash,
          ),
        { timeout: 60_000, interval: 50 },
      )
      .toBe(true);
    // Its mark goes out with the first heartbeat.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await stack.brain.kill();
    await stack.brain.start();
  }
  const error = await session.until((event) => event.type === 'session.error', { ms: 60_000 });
  expect(JSON.stringify(error.event)).toContain('died 5 times');
  await session.until((event) => event.type === 'session.status_idle', { ms: 60_000 });
  expect((await session.turn('still there?')).stop_reason.type).toBe('end_turn');
}, 300_000);
