/** Where a workflow waits, for people who look at it in the Temporal UI: off unless it is asked for. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { startWorkerProcess } from '../support/worker-process.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ script: { rehearsal: 'Stack traces', turns: [], fallback: { text: 'Yes.' } } });
}, 900_000);
afterAll(async () => await stack?.stop(), 60_000);

test('a workflow says why it has no stack trace, and has one with LONGHAND_STACK_TRACES', async () => {
  const session = await startDirectSession(stack, {});
  await session.turn('hello', 30_000);
  const handle = stack.temporalClient.workflow.getHandle(sessionWorkflowId(session.id));
  await expect(handle.query('__stack_trace')).rejects.toThrow('stack traces are not enabled');
  // The SDK warns of what is wanted; nobody else needs to hear it.
  expect(stack.brain.lines.join('\n')).not.toContain('promiseHooks');
  await stack.brain.stop();
  const brain = await startWorkerProcess('brain', { ...stack.env.brain, LONGHAND_STACK_TRACES: 'true' });
  try {
    expect(await handle.query('__stack_trace')).toContain('workflows/session.ts');
    await session.turn('again', 30_000);
  } finally {
    await brain.stop();
  }
});
