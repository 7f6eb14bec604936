/** Sessions whose workflow is gone, woken from what the store and the lost run's history hold. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConnectedLonghand, connectLonghand, type LogSlice, SessionClosedError } from '../../client/index.ts';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { CreateParams, EventParams, SessionEvent } from '../../events/wire.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { graderRequests, grades, outcome, verdict } from '../support/outcomes.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let api: TestApi;
let longhand: ConnectedLonghand;
let params: Pick<CreateParams, 'agent' | 'environment_id'>;
beforeAll(async () => {
  stack = await startStack({
    hands: true,
    script: {
      rehearsal: 'Lost sessions',
      turns: [
        {
          when: 'append slowly',
          steps: [
            { tools: [{ bash: 'echo begun >> /workspace/journal; sleep 60; echo done >> /workspace/journal' }] },
            { text: 'I see.' },
          ],
        },
        {
          when: 'read the notes',
          steps: [{ tools: [{ bash: 'cat /mnt/session/uploads/notes.txt' }] }, { text: '{{result.text | trim}}' }],
        },
        { when: 'look', steps: [{ tools: [{ bash: 'cat /workspace/journal' }] }, { text: '{{result.text | trim}}' }] },
        {
          when: 'ask first',
          steps: [{ tools: [{ write: { file_path: '/workspace/a', content: 'b' } }] }, { text: 'Written.' }],
        },
        grades('Plain answer.', {
          pace: { first_token_ms: 8_000 },
          tools: [verdict('satisfied', { 'Is it there?': true })],
        }),
        { when: 'slowly', steps: [{ pace: { first_token_ms: 4_000 }, text: 'Slow answer.' }] },
      ],
      fallback: { text: 'Plain answer.' },
    },
  });
  api = await startTestApi(stack);
  const agent = await api.client.beta.agents.create({
    name: 'worker',
    model: 'claude-opus-4-8',
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [{ name: 'write', permission_policy: { type: 'always_ask' } }],
      },
    ],
  });
  const environment = await api.client.beta.environments.create({ name: 'e' });
  params = { agent: agent.id, environment_id: environment.id };
  longhand = await connectLonghand({ temporal: { overrideEnvVars: { TEMPORAL_ADDRESS: stack.temporal.address } } });
}, 900_000);
afterAll(async () => {
  await longhand?.close();
  await api?.stop();
  await stack?.stop();
}, 60_000);

const message = (text: string): Extract<EventParams, { type: 'user.message' }> => ({
  type: 'user.message',
  content: [{ type: 'text', text }],
});

async function begin(text: string): Promise<string> {
  return (await longhand.startSession({ ...params, initial_events: [message(text)] })).id;
}

async function until(id: string, matches: (event: SessionEvent) => boolean, from = 0): Promise<LogSlice> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    const found = (await longhand.getEvents(id, { from })).find(({ event }) => matches(event));
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Not seen; the log has ${(await longhand.getEvents(id)).map(({ event }) => event.type).join(', ')}`);
}

const ended = (event: SessionEvent) => event.type === 'session.status_idle' && event.stop_reason.type === 'end_turn';
const asks = (event: SessionEvent) =>
  event.type === 'session.status_idle' && event.stop_reason.type === 'requires_action';

async function terminate(id: string): Promise<void> {
  await stack.temporalClient.workflow.getHandle(sessionWorkflowId(id)).terminate('an operator');
  expect(await stack.sessions.isOpen(id)).toBe(false);
}

/** The log, which must be whole: no gap, one result for each tool use, one end for each request. */
async function wholeLog(id: string): Promise<SessionEvent[]> {
  const log = await longhand.getEvents(id);
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index));
  const events = log.flatMap(({ event, of }) => (of === undefined ? [event] : []));
  const ids = (type: string) => events.flatMap((event) => (event.type === type ? [event.id] : []));
  const answered = events.flatMap((event) => (event.type === 'agent.tool_result' ? [event.tool_use_id] : []));
  expect(answered.toSorted()).toEqual(ids('agent.tool_use').toSorted());
  const closed = events.flatMap((event) =>
    event.type === 'span.model_request_end' ? [event.model_request_start_id] : [],
  );
  expect(closed).toEqual(ids('span.model_request_start'));
  return events;
}

describe('a session that an operator terminated', () => {
  test('while a command runs: goes on, with an error for the call, which is stopped and not run again', async () => {
    const id = await begin('append slowly');
    const { seq } = await until(id, ({ type }) => type === 'agent.tool_use');
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await terminate(id);
    await expect(longhand.emitEvent(id, message('hello?'))).rejects.toBeInstanceOf(SessionClosedError);
    expect(await longhand.wake(id)).toEqual({ woken: true });
    await until(id, ended, seq);
    const results = (await wholeLog(id)).filter((event) => event.type === 'agent.tool_result');
    expect(JSON.stringify(results)).toContain('cannot be known');

    // The same sandbox, with its files; the shell is free.
    const [accepted] = await longhand.emitEvent(id, message('look'));
    await until(id, ended, accepted?.seq);
    const said = (await wholeLog(id)).findLast((event) => event.type === 'agent.message');
    expect(said).toMatchObject({ content: [{ text: 'begun' }] });
    expect((await longhand.getSession(id)).status).toBe('idle');
  }, 120_000);

  test('while its work is graded: the same evaluation is begun again and ends the outcome', async () => {
    const { id } = await longhand.startSession({ ...params, initial_events: [outcome('an answer')] });
    const { event: start } = await until(id, ({ type }) => type === 'span.outcome_evaluation_start');
    for (const deadline = Date.now() + 30_000; graderRequests(stack).length === 0; ) {
      if (Date.now() > deadline) throw new Error('The grader was not asked.');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await terminate(id);
    expect(await longhand.wake(id)).toEqual({ woken: true });
    await until(id, ended);
    const events = await wholeLog(id);
    const ends = events.filter((event) => event.type === 'span.outcome_evaluation_end');
    expect(ends).toMatchObject([{ outcome_evaluation_start_id: start.id, iteration: 0, result: 'satisfied' }]);
    expect(events.filter((event) => event.type === 'span.outcome_evaluation_start')).toHaveLength(1);
    expect((await longhand.getSession(id)).outcome_evaluations).toMatchObject([{ result: 'satisfied' }]);
  }, 120_000);

  test('while it waits for a person: goes on waiting, and the approved call runs', async () => {
    const id = await begin('ask first');
    const { event, seq } = await until(id, asks);
    const before = await longhand.getEvents(id);
    await terminate(id);
    expect(await longhand.wake(id)).toEqual({ woken: true });
    expect(await longhand.getEvents(id)).toEqual(before);
    const stop = event.type === 'session.status_idle' ? event.stop_reason : undefined;
    if (stop?.type !== 'requires_action') throw new Error('nothing is waiting');
    await longhand.approve(id, stop.event_ids[0] ?? '');
    await until(id, ended, seq);
    const result = (await wholeLog(id)).find((one) => one.type === 'agent.tool_result');
    expect(result).toMatchObject({ is_error: false });
  }, 120_000);

  test('before its first call: has the files that it was given, as one that was never lost', async () => {
    const file = await api.client.beta.files.upload({ file: new File(['buy milk'], 'notes.txt') });
    const resources = [{ type: 'file' as const, file_id: file.id, mount_path: 'notes.txt' }];
    const start = (text: string) =>
      longhand.startSession({ ...params, resources, initial_events: [message(text)] }).then(({ id }) => id);
    const [kept, lost] = await Promise.all([start('read the notes'), start('hello')]);
    await api.client.beta.files.delete(file.id);
    await until(lost, ended);
    await terminate(lost);
    await longhand.wake(lost);
    const [accepted] = await longhand.emitEvent(lost, message('read the notes'));
    await until(lost, ended, accepted?.seq);
    await until(kept, ended);
    for (const id of [kept, lost]) {
      const said = (await wholeLog(id)).findLast((event) => event.type === 'agent.message');
      expect(said).toMatchObject({ content: [{ text: 'buy milk' }] });
    }
  }, 120_000);

  test('in a model request: the model is asked again, in the open', async () => {
    const id = await begin('answer slowly');
    await until(id, ({ type }) => type === 'span.model_request_start');
    await terminate(id);
    await longhand.wake(id);
    await until(id, ended);
    const events = await wholeLog(id);
    const ends = events.filter((event) => event.type === 'span.model_request_end');
    expect(ends.map((event) => event.is_error)).toEqual([true, false]);
    expect(events.filter((event) => event.type === 'agent.message')).toHaveLength(1);
  }, 60_000);

  test('is woken once, by however many at the same time, and again after another loss', async () => {
    const id = await begin('hello');
    await until(id, ended);
    for (let round = 0; round < 2; round++) {
      await terminate(id);
      await Promise.all([1, 2, 3].map(() => longhand.wake(id)));
      expect(await longhand.wake(id)).toEqual({ woken: false });
      const [accepted] = await longhand.emitEvent(id, message('again'));
      await until(id, ended, accepted?.seq);
      await wholeLog(id);
    }
  }, 60_000);

  test('keeps every post that it had answered, also those that never reached the store', async () => {
    const { id } = await longhand.startSession(params);
    const lock = await stack.database.pool.connect();
    try {
      await longhand.emitEvent(id, message('first'));
      await until(id, ended);
      await lock.query('begin');
      await lock.query('select head from log_heads where session_id = $1 for update', [id]);
      // The store takes nothing now: the second is on its way in an activity, the others only in the workflow's memory.
      for (const text of ['second', 'third', 'fourth'])
        await longhand.emitEvent(id, message(text), { requestId: text });
      await terminate(id);
    } finally {
      await lock.query('rollback');
      lock.release();
    }
    await longhand.wake(id);
    const [again] = await longhand.emitEvent(id, message('second'), { requestId: 'second' });
    expect(again).toBeDefined();
    await expect.poll(async () => (await longhand.getSession(id)).status, { timeout: 20_000 }).toBe('idle');
    const events = await wholeLog(id);
    const said = events.flatMap((event) => (event.type === 'user.message' ? event.content : []));
    expect(said.map((block) => block.type === 'text' && block.text)).toEqual(['first', 'second', 'third', 'fourth']);
  }, 60_000);
});

describe('a session that Temporal has lost', () => {
  test('with its history: is rebuilt from the store alone', async () => {
    const id = await begin('ask first');
    const { event, seq } = await until(id, asks);
    await terminate(id);
    await stack.sessions.erase(id);
    await expect.poll(async () => (await stack.sessions.lookUp(id)).workflow, { timeout: 120_000 }).toBe('unknown');
    expect(await longhand.wake(id)).toEqual({ woken: true });
    const stop = event.type === 'session.status_idle' ? event.stop_reason : undefined;
    if (stop?.type !== 'requires_action') throw new Error('nothing is waiting');
    await longhand.approve(id, stop.event_ids[0] ?? '');
    await until(id, ended, seq);
    await wholeLog(id);
    const segments = await stack.database.pool.query('select from_seq, to_seq from segments where session_id = $1', [
      id,
    ]);
    expect(segments.rows).toEqual([{ from_seq: '0', to_seq: String(seq) }]);
  }, 240_000);
});

describe('a session that needs no waking', () => {
  test('is left alone while it is open, and refused once it has ended or was never there', async () => {
    const id = await begin('hello');
    await until(id, ended);
    expect(await longhand.wake(id)).toEqual({ woken: false });
    await api.client.beta.sessions.archive(id);
    // Archived is what has been taken in; the workflow ends a moment later.
    await expect
      .poll(() => longhand.wake(id).catch((error) => error), { timeout: 10_000 })
      .toMatchObject({ name: 'SessionRefusedError', status: 400 });
    await expect(longhand.wake('sesn_none')).rejects.toMatchObject({ name: 'SessionRefusedError', status: 404 });
  }, 60_000);
});
