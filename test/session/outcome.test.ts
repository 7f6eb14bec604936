/** Outcomes of sessions that only talk: the loop, its events and its ends, over the whole real stack. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionWorkflowId } from '../../events/ids.ts';
import type { EventParams } from '../../events/wire.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import {
  followed,
  GRADER,
  graderRequests,
  grades,
  makeParts,
  outcome,
  toIdle,
  until,
  verdict,
} from '../support/outcomes.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let api: TestApi;
let parts: Awaited<ReturnType<typeof makeParts>>;

beforeAll(async () => {
  stack = await startStack({
    script: {
      rehearsal: 'A poem',
      turns: [
        grades('draft one', { tools: [verdict('needs_revision', { '1. rhymes': false }, 'Lacks a rhyme.')] }),
        grades('draft two', { tools: [verdict('needs_revision', { '1. rhymes': false }, 'Lacks a title.')] }),
        grades('draft three', { tools: [verdict('satisfied', { '1. rhymes': true })] }),
        grades('unfit', {
          tools: [verdict('failed', { '1. is a poem': false }, 'A rubric for poems, and this is a list.')],
        }),
        grades('dawdle', { pace: { first_token_ms: 3_000 }, tools: [verdict('satisfied', { '1. done': true })] }),
        { when: { system: GRADER }, steps: [{ tools: [verdict('satisfied', { '1. done': true })] }] },
        { when: 'No rhymes come', steps: [{ text: 'unfit' }] },
        { when: 'A slow grader', steps: [{ text: 'dawdle' }] },
        { when: 'work slowly', steps: [{ pace: { first_token_ms: 3_000 }, text: 'Slow work.' }] },
        { when: 'refuse', steps: [{ text: 'No.', stop: 'refusal' }] },
        { when: 'no further evaluation', steps: [{ text: 'It stays without a title.' }] },
        { when: 'Lacks a rhyme', steps: [{ text: 'draft two' }] },
        { when: 'Lacks a title', steps: [{ text: 'draft three' }] },
        { when: 'Write a poem', steps: [{ thinking: 'MY SECRET REASONING', text: 'draft one' }] },
      ],
      fallback: { text: 'Plain answer.' },
    },
  });
  api = await startTestApi(stack, { session: { gradingBeatMs: 800 } });
  parts = await makeParts(api, false);
}, 300_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

async function start(...events: EventParams[]) {
  const session = await api.client.beta.sessions.create({ agent: parts.agent, environment_id: parts.environment_id });
  if (events.length > 0) await api.client.beta.sessions.events.send(session.id, { events });
  return session.id;
}

const evaluations = async (id: string) => (await api.client.beta.sessions.retrieve(id)).outcome_evaluations;

test('work is graded and revised until the rubric is met, in one running turn', async () => {
  const session = await start();
  const sent = await api.client.beta.sessions.events.send(session, { events: [outcome('Write a poem', '- rhymes')] });
  const [echo] = sent.data ?? [];
  expect(echo).toMatchObject({
    type: 'user.define_outcome',
    outcome_id: expect.stringMatching(/^outc_/),
    processed_at: expect.any(String),
    max_iterations: null,
    rubric: { type: 'text', content: '- rhymes' },
  });
  const log = await toIdle(api.client, session);
  const request = ['span.model_request_start', 'agent.message', 'span.model_request_end'];
  const evaluation = ['span.outcome_evaluation_start', 'span.outcome_evaluation_end'];
  expect(log.types.filter((type) => type !== 'agent.thinking')).toEqual([
    'user.define_outcome',
    'session.status_running',
    'session.thread_status_running',
    ...[...request, ...evaluation, ...request, ...evaluation, ...request, ...evaluation],
    'session.thread_status_idle',
    'session.usage',
    'session.status_idle',
  ]);
  expect(log.events[0]).toEqual(echo);
  expect(log.ends.map(({ iteration, result }) => [iteration, result])).toEqual([
    [0, 'needs_revision'],
    [1, 'needs_revision'],
    [2, 'satisfied'],
  ]);
  const starts = log.events.filter((event) => event.type === 'span.outcome_evaluation_start');
  expect(log.ends.map((end) => end.outcome_evaluation_start_id)).toEqual(starts.map((event) => event.id));
  expect(log.ends[0]?.explanation).toContain('Not met: 1. rhymes');
  expect(log.ends[0]?.explanation).toContain('Evidence: seen: false');
  expect(await evaluations(session)).toEqual([
    {
      type: 'outcome_evaluation',
      outcome_id: echo && 'outcome_id' in echo ? echo.outcome_id : '',
      description: 'Write a poem',
      iteration: 2,
      result: 'satisfied',
      explanation: 'It is satisfied.',
      completed_at: log.ends[2]?.processed_at,
    },
  ]);
});

test('the grader sees task, rubric and what was handed in, and nothing of how it was made', async () => {
  const session = await start(outcome('Write a poem', '- rhymes'));
  await toIdle(api.client, session);
  const first = graderRequests(stack).findLast((body) => JSON.stringify(body).includes('draft one'));
  const text = JSON.stringify(first);
  expect(text).toContain('Write a poem');
  expect(text).not.toContain('SECRET');
  expect(text).not.toContain('[Grader]');
  expect(first?.tools?.map((tool) => 'name' in tool && tool.name)).toEqual(['verdict']);
  expect(first?.tool_choice).toEqual({ type: 'tool', name: 'verdict' });
});

test('the grader’s tokens are part of its span and of the session’s usage', async () => {
  const session = await start(outcome('Write a poem', '- rhymes'));
  const log = await toIdle(api.client, session);
  const requests = log.events.flatMap((event) => (event.type === 'span.model_request_end' ? [event.model_usage] : []));
  const graded = log.ends.map((end) => end.usage);
  for (const usage of graded) expect(usage.output_tokens).toBeGreaterThan(0);
  const sum = [...requests, ...graded].reduce((total, usage) => total + usage.output_tokens, 0);
  const { usage } = await api.client.beta.sessions.retrieve(session);
  expect(usage.output_tokens).toBe(sum);
});

test('when the iterations are used up there is one more request, to say so, and no more grading', async () => {
  const session = await start(outcome('Write a poem', '- rhymes', { max_iterations: 2 }));
  const log = await toIdle(api.client, session);
  expect(log.ends.map((end) => end.result)).toEqual(['needs_revision', 'max_iterations_reached']);
  const after = log.types.slice(log.types.lastIndexOf('span.outcome_evaluation_end') + 1);
  expect(after).toEqual([
    'span.model_request_start',
    'agent.message',
    'span.model_request_end',
    'session.thread_status_idle',
    'session.usage',
    'session.status_idle',
  ]);
  expect(JSON.stringify(log.events)).toContain('It stays without a title.');
  expect(await evaluations(session)).toMatchObject([{ result: 'max_iterations_reached', iteration: 1 }]);
});

test('a rubric that does not fit the work ends the outcome as failed', async () => {
  const session = await start(outcome('No rhymes come'));
  const log = await toIdle(api.client, session);
  expect(log.ends).toMatchObject([{ result: 'failed', iteration: 0 }]);
  expect(log.events.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
});

test('while the grader is slow the session shows that it is at work', async () => {
  const session = await start(outcome('A slow grader'));
  await until(api.client, session, (event) => event.type === 'span.outcome_evaluation_start');
  expect(await evaluations(session)).toMatchObject([{ result: 'evaluating', completed_at: null, explanation: null }]);
  const log = await toIdle(api.client, session);
  const ongoing = log.events.filter((event) => event.type === 'span.outcome_evaluation_ongoing');
  expect(ongoing.length).toBeGreaterThanOrEqual(2);
  expect(ongoing[0]).toMatchObject({ iteration: 0, outcome_id: log.ends[0]?.outcome_id });
});

describe('an interrupt', () => {
  test('while the agent works ends the outcome, with no start id', async () => {
    const session = await start(outcome('work slowly'));
    await until(api.client, session, (event) => event.type === 'span.model_request_start');
    expect(await evaluations(session)).toMatchObject([{ result: 'running', iteration: 0 }]);
    await api.client.beta.sessions.events.send(session, { events: [{ type: 'user.interrupt' }] });
    const log = await toIdle(api.client, session);
    expect(log.ends).toMatchObject([{ result: 'interrupted', outcome_evaluation_start_id: '', iteration: 0 }]);
    expect(log.types.indexOf('span.outcome_evaluation_end')).toBeLessThan(log.types.indexOf('session.status_idle'));
    expect(await evaluations(session)).toMatchObject([{ result: 'interrupted', completed_at: expect.any(String) }]);
  });

  test('while the grader works ends the outcome within seconds, with its start id', async () => {
    const session = await start(outcome('A slow grader'));
    const began = await until(api.client, session, (event) => event.type === 'span.outcome_evaluation_start');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const asked = Date.now();
    await api.client.beta.sessions.events.send(session, { events: [{ type: 'user.interrupt' }] });
    const log = await toIdle(api.client, session);
    expect(Date.now() - asked).toBeLessThan(2_500);
    expect(log.ends).toMatchObject([{ result: 'interrupted', outcome_evaluation_start_id: began.id }]);
    // A verdict that comes late changes nothing.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect((await followed(api.client, session)).ends).toHaveLength(1);
  });

  test('and the next outcome may come in one request', async () => {
    const session = await start(outcome('A slow grader'));
    await until(api.client, session, (event) => event.type === 'span.outcome_evaluation_start');
    await api.client.beta.sessions.events.send(session, {
      events: [{ type: 'user.interrupt' }, outcome('Write a poem', '- rhymes')],
    });
    const log = await toIdle(api.client, session, 2);
    expect(log.ends.map((end) => end.result)).toEqual(['interrupted', 'needs_revision', 'needs_revision', 'satisfied']);
    expect((await evaluations(session)).map((one) => one.result)).toEqual(['interrupted', 'satisfied']);
  });
});

test('a message during an outcome is taken in before the work is graded', async () => {
  const session = await start(outcome('work slowly'));
  await until(api.client, session, (event) => event.type === 'span.model_request_start');
  const text = 'and write it by hand';
  await api.client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });
  const log = await toIdle(api.client, session);
  expect(log.types.filter((type) => type === 'span.model_request_start')).toHaveLength(2);
  expect(log.types.lastIndexOf('span.model_request_start')).toBeLessThan(
    log.types.indexOf('span.outcome_evaluation_start'),
  );
  expect(log.ends).toMatchObject([{ result: 'satisfied' }]);
});

test('a second outcome is refused while one is open, and taken after its end; between them the session chats', async () => {
  const session = await start(outcome('work slowly'));
  const send = (event: EventParams) => api.client.beta.sessions.events.send(session, { events: [event] });
  await expect(send(outcome('another'))).rejects.toMatchObject({ status: 400 });
  await toIdle(api.client, session);
  await send({ type: 'user.message', content: [{ type: 'text', text: 'Thanks. How are you?' }] });
  await toIdle(api.client, session, 2);
  await send(outcome('Write a poem', '- rhymes'));
  const log = await toIdle(api.client, session, 3);
  expect(log.ends.map((end) => end.result)).toEqual(['satisfied', 'needs_revision', 'needs_revision', 'satisfied']);
  expect(new Set((await evaluations(session)).map((one) => one.outcome_id)).size).toBe(2);
});

test('an outcome that comes during a turn is worked on in it, and graded at its end', async () => {
  const session = await start({ type: 'user.message', content: [{ type: 'text', text: 'work slowly' }] });
  await until(api.client, session, (event) => event.type === 'span.model_request_start');
  await api.client.beta.sessions.events.send(session, { events: [outcome('Write a poem', '- rhymes')] });
  expect(await evaluations(session)).toMatchObject([{ result: 'pending' }]);
  const log = await toIdle(api.client, session);
  expect(log.ends.at(-1)).toMatchObject({ result: 'satisfied', iteration: 2 });
});

test('a session can be born with an outcome', async () => {
  const session = await api.client.beta.sessions.create({
    ...{ agent: parts.agent, environment_id: parts.environment_id },
    initial_events: [outcome('Write a poem', '- rhymes') as never],
  });
  expect(session.outcome_evaluations).toMatchObject([{ description: 'Write a poem' }]);
  const log = await toIdle(api.client, session.id);
  expect(log.ends.at(-1)).toMatchObject({ result: 'satisfied' });
});

test('an agent that cannot go on ends the outcome as failed, in the open', async () => {
  const session = await start(outcome('refuse'));
  const log = await toIdle(api.client, session);
  expect(log.ends).toMatchObject([{ result: 'failed', outcome_evaluation_start_id: '' }]);
  expect(log.events.at(-1)).toMatchObject({ stop_reason: { type: 'refusal' } });
});

describe('a rubric that is a file', () => {
  const rubric = `- the slow work is done well, as RULE-7391 says\n${'and so on, '.repeat(6_000)}\nTHE LAST WORD`;
  const byFile = async (): Promise<[file: string, event: EventParams]> => {
    const { id } = await api.client.beta.files.upload({ file: new File([rubric], 'rubric.md') });
    return [id, { ...outcome('work slowly'), rubric: { type: 'file', file_id: id } }];
  };

  test('is what agent and grader go by, though the file is gone before the work is graded', async () => {
    const [file, event] = await byFile();
    const session = await start(event);
    await until(api.client, session, ({ type }) => type === 'span.model_request_start');
    await api.client.beta.files.delete(file);
    expect((await followed(api.client, session)).types).not.toContain('span.outcome_evaluation_start');
    const log = await toIdle(api.client, session);
    expect(log.ends).toMatchObject([{ result: 'satisfied', iteration: 0 }]);
    expect(log.events[0]).toMatchObject({ rubric: { type: 'text', content: rubric } });
    const shown = (body: unknown) => /RULE-7391.*THE LAST WORD/.test(JSON.stringify(body));
    expect(stack.rehearsal.requests.filter(({ body }) => shown(body))).toHaveLength(2);
    expect(graderRequests(stack).filter(shown)).toHaveLength(1);
  });

  test('stays out of the workflow’s history', async () => {
    const [, event] = await byFile();
    const session = await start(event);
    await toIdle(api.client, session);
    const { historySize } = await stack.temporalClient.workflow.getHandle(sessionWorkflowId(session)).describe();
    expect(historySize).toBeLessThan(rubric.length);
  });

  test('and is gone when the outcome is defined is refused; nothing begins, and nothing is graded', async () => {
    const [file, event] = await byFile();
    await api.client.beta.files.delete(file);
    const graded = graderRequests(stack).length;
    const session = await start();
    const sent = api.client.beta.sessions.events.send(session, { events: [event] });
    await expect(sent).rejects.toMatchObject({ status: 404, message: expect.stringContaining('rubric.file_id') });
    expect((await followed(api.client, session)).events).toEqual([]);
    expect(graderRequests(stack)).toHaveLength(graded);
  });
});
