/** Sessions that only talk: the workflow, the brain and the log, with the brain as a process that is killed. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isEventEntry } from '../../events/entry.ts';
import { sessionWorkflowId } from '../../events/ids.ts';
import { POST } from '../../workflows/contract.ts';
import { everyAnthropicVariable } from '../support/anthropic-variables.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
/** Stands where the SDK's own variables point. */
const trap = createServer((request, response) => {
  trapped.push(request.url ?? '');
  response.writeHead(500).end();
});
const trapped: string[] = [];
beforeAll(async () => {
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
  const trapUrl = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
  stack = await startStack({
    env: await everyAnthropicVariable(trapUrl),
    script: {
      rehearsal: 'Answers of many kinds',
      turns: [
        { when: 'slowly', steps: [{ pace: { first_token_ms: 3000 }, text: 'Slow answer.' }] },
        { when: 'long story', steps: [{ pace: { chunk_ms: 100, chunk_chars: 4 }, text: 'word '.repeat(400) }] },
        { when: 'overload', steps: [{ fail: { times: 2, status: 529, type: 'overloaded_error' }, text: 'At last.' }] },
        { when: 'cut off', steps: [{ fail: { times: 2, drop: true, after_chunks: 1 }, text: 'word '.repeat(100) }] },
        { when: 'refuse', steps: [{ text: 'No.', stop: 'refusal', stop_details: { category: 'bio' } }] },
        { when: 'strange', steps: [{ text: 'Hm.', stop: 'went_for_a_walk' }] },
        { when: 'think', steps: [{ thinking: 'Let me see.', text: 'Thought.' }] },
      ],
      fallback: { text: 'Plain answer.' },
    },
  });
}, 300_000);
afterAll(async () => {
  trap.close();
  await stack?.stop();
}, 60_000);

describe('a brain that is killed', () => {
  test('in a model request: the request is asked again and the log shows one answer', async () => {
    const session = await startDirectSession(stack);
    await session.say('answer slowly');
    await session.until((event) => event.type === 'span.model_request_start');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await stack.brain.kill();
    await stack.brain.start();
    await session.until((event) => event.type === 'session.status_idle', { ms: 40_000 });
    const types = (await session.events()).map((event) => event.type);
    expect(stack.rehearsal.requests.filter((request) => JSON.stringify(request).includes('slowly'))).toHaveLength(2);
    expect(types).toEqual([
      'user.message',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
  }, 60_000);

  test('between turns: the next message finds the session as it was', async () => {
    const session = await startDirectSession(stack);
    await session.turn('first');
    await stack.brain.kill();
    await stack.brain.start();
    await session.turn('second', 40_000);
    const last = stack.rehearsal.requests.at(-1);
    expect(JSON.stringify(last)).toContain('first');
  }, 60_000);
});

test('no ANTHROPIC_* variable is obeyed: the model is asked where MODEL_BASE_URL says, with no header of theirs', async () => {
  const session = await startDirectSession(stack);
  await session.turn('hello');
  expect(trapped).toEqual([]);
  const headers = stack.rehearsal.requests.at(-1)?.headers ?? {};
  expect(Object.keys(headers)).not.toContain('x-trap');
  expect(JSON.stringify(headers)).not.toContain('trap');
});

test('thinking goes back to the model with its signature and never to a client', async () => {
  const session = await startDirectSession(stack);
  await session.turn('think about it');
  const idle = await session.turn('and now?');
  expect(idle.stop_reason.type).toBe('end_turn');
  const thinking = (await session.entries()).find(
    (entry) => isEventEntry(entry) && entry.event.type === 'agent.thinking',
  );
  expect(Object.keys(thinking && isEventEntry(thinking) ? thinking.event : {}).sort()).toEqual([
    'id',
    'processed_at',
    'type',
  ]);
});

test('an overloaded model is asked again, in the open', async () => {
  const session = await startDirectSession(stack, { settings: { retryInitialMs: 50 } });
  await session.turn('overload please');
  const types = (await session.events()).map((event) => event.type);
  expect(types.filter((type) => type === 'session.error')).toHaveLength(2);
  expect(types.filter((type) => type === 'session.status_rescheduled')).toHaveLength(2);
  expect(types).toContain('agent.message');
});

test('a reply that breaks off in the stream is asked for again, in the open', async () => {
  const session = await startDirectSession(stack, { settings: { retryInitialMs: 50 } });
  await session.turn('cut off please');
  const errors = (await session.events()).flatMap((event) =>
    event.type === 'session.error' ? [event.error.type] : [],
  );
  expect(errors).toEqual(['model_request_failed_error', 'model_request_failed_error']);
  expect((await session.events()).at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
});

test('a refusal carries its details', async () => {
  const session = await startDirectSession(stack);
  const idle = await session.turn('refuse this');
  expect(idle).toMatchObject({ stop_reason: { type: 'refusal' }, stop_details: { type: 'refusal', category: 'bio' } });
});

test('an unknown stop reason ends the turn with an error', async () => {
  const session = await startDirectSession(stack);
  expect((await session.turn('something strange')).stop_reason.type).toBe('retries_exhausted');
});

test('an interrupt keeps what was said so far and ends the turn within a second or so', async () => {
  const session = await startDirectSession(stack);
  await session.say('tell me a long story');
  await session.until((event) => event.type === 'span.model_request_start');
  await new Promise((resolve) => setTimeout(resolve, 700));
  const asked = Date.now();
  await session.send({ type: 'user.interrupt' });
  const idle = await session.until((event) => event.type === 'session.status_idle');
  expect(Date.now() - asked).toBeLessThan(3_000);
  expect(idle.event).toMatchObject({ stop_reason: { type: 'end_turn' } });
  const said = (await session.events()).find((event) => event.type === 'agent.message');
  const text = JSON.stringify(said);
  expect(text).toContain('word word');
  expect(text.length).toBeLessThan(1_000);
});

describe('a signal from the Temporal UI', () => {
  test('is taken like a post', async () => {
    const session = await startDirectSession(stack);
    const handle = stack.temporalClient.workflow.getHandle(sessionWorkflowId(session.id));
    await handle.signal(POST, { type: 'user.message', content: 'from the UI' });
    await session.until((event) => event.type === 'session.status_idle');
  });

  test('that is malformed or encrypted harms nothing', async () => {
    const session = await startDirectSession(stack);
    const handle = stack.temporalClient.workflow.getHandle(sessionWorkflowId(session.id));
    for (const junk of [null, 7, {}, { type: 'user.message' }, { type: 'session.deleted' }, [], 'x'.repeat(100_000)]) {
      await handle.signal(POST, junk);
    }
    await stack.temporalClient.workflowService.signalWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: sessionWorkflowId(session.id) },
      signalName: POST,
      input: { payloads: [{ metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('secret') }] },
    });
    const idle = await session.turn('still there?');
    expect(idle.stop_reason.type).toBe('end_turn');
    expect(
      (await session.entries()).filter((entry) => isEventEntry(entry) && entry.event.type === 'user.message'),
    ).toHaveLength(1);
  });
});

test('three hundred turns go through continue-as-new without a gap or a repeated message', async () => {
  const session = await startDirectSession(stack);
  for (let i = 0; i < 300; i++) await session.turn(`turn ${i}`);
  const entries = await session.entries();
  expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => index));
  const said = entries.flatMap((entry) => (isEventEntry(entry) && entry.event.type === 'user.message' ? [entry] : []));
  expect(said).toHaveLength(300);
  const segments = await stack.database.pool.query('select * from segments where session_id = $1', [session.id]);
  expect(segments.rows.length).toBeGreaterThan(2);
}, 180_000);
