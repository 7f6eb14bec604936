/** The outcome loop under SIGKILL of the brain: as many iterations as without it, no verdict lost or doubled. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
import { followed, graderRequests, grades, makeParts, outcome, toIdle, until, verdict } from '../support/outcomes.ts';
import { type Stack, startStack } from '../support/stack.ts';

const SLOW = { first_token_ms: 2_000 };
let stack: Stack;
let api: TestApi;
let parts: Awaited<ReturnType<typeof makeParts>>;

beforeAll(async () => {
  const revise = verdict('needs_revision', { '1. good': false }, 'Not good yet.');
  stack = await startStack({
    script: {
      rehearsal: 'Crashes',
      turns: [
        grades('slowly graded', { pace: SLOW, tools: [revise] }),
        grades('quickly graded', { tools: [revise] }),
        grades('last', { tools: [revise] }),
        { when: 'no further evaluation', steps: [{ pace: SLOW, text: 'So it stays.' }] },
        { when: 'Not good yet', steps: [{ pace: SLOW, text: 'last' }] },
        { when: 'take your time', steps: [{ text: 'slowly graded' }] },
        { when: 'be quick', steps: [{ text: 'quickly graded' }] },
      ],
    },
  });
  api = await startTestApi(stack);
  parts = await makeParts(api, false);
}, 300_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

async function start(description: string): Promise<string> {
  const session = await api.client.beta.sessions.create({ agent: parts.agent, environment_id: parts.environment_id });
  const events = [outcome(description, 'good', { max_iterations: 2 })];
  await api.client.beta.sessions.events.send(session.id, { events });
  return session.id;
}

async function crash(): Promise<void> {
  await stack.brain.kill();
  await stack.brain.start();
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The log of a whole loop of two iterations, as it is without any crash; signs of life aside. */
async function expectWholeLoop(session: string): Promise<void> {
  const log = await toIdle(api.client, session, 1, 90_000);
  const request = ['span.model_request_start', 'agent.message', 'span.model_request_end'];
  const evaluation = ['span.outcome_evaluation_start', 'span.outcome_evaluation_end'];
  const shown = log.types.filter((type) => type !== 'span.outcome_evaluation_ongoing');
  expect(shown).toEqual([
    'user.define_outcome',
    'session.status_running',
    'session.thread_status_running',
    ...[...request, ...evaluation, ...request, ...evaluation, ...request],
    'session.thread_status_idle',
    'session.usage',
    'session.status_idle',
  ]);
  expect(log.ends.map((end) => [end.iteration, end.result])).toEqual([
    [0, 'needs_revision'],
    [1, 'max_iterations_reached'],
  ]);
  expect(await api.client.beta.sessions.retrieve(session)).toMatchObject({
    status: 'idle',
    outcome_evaluations: [{ result: 'max_iterations_reached', iteration: 1 }],
  });
  // Nothing comes after it.
  await pause(1_000);
  expect((await followed(api.client, session)).types).toHaveLength(log.types.length);
}

test('in the grader: it is asked again, and its verdict stands once', async () => {
  const before = graderRequests(stack).length;
  const session = await start('take your time');
  await until(api.client, session, (event) => event.type === 'span.outcome_evaluation_start');
  await expect.poll(() => graderRequests(stack).length).toBeGreaterThan(before);
  await crash();
  await expectWholeLoop(session);
  expect(graderRequests(stack).length - before).toBe(3);
}, 120_000);

test.each([0, 15, 40, 80])(
  '%i ms after the grader was asked, around its verdict: the loop goes on where it was',
  async (ms) => {
    const before = graderRequests(stack).length;
    const session = await start('be quick');
    while (graderRequests(stack).length === before) await pause(2);
    await pause(ms);
    await crash();
    await expectWholeLoop(session);
  },
  120_000,
);

test('between the verdict and the next iteration: there is one revision', async () => {
  const session = await start('be quick');
  await until(api.client, session, (event) => event.type === 'span.outcome_evaluation_end');
  await crash();
  await expectWholeLoop(session);
}, 120_000);

test('in the acknowledgement: it is asked for again, and nothing is graded after it', async () => {
  const session = await start('be quick');
  await until(
    api.client,
    session,
    (event) => event.type === 'span.outcome_evaluation_end' && event.result === 'max_iterations_reached',
  );
  await pause(500);
  await crash();
  await expectWholeLoop(session);
}, 120_000);
