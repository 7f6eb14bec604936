/** What broke in trials of this design, and must not again. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isEventEntry } from '../../events/entry.ts';
import { sessionWorkflowId } from '../../events/ids.ts';
import { startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    script: {
      rehearsal: 'Trials',
      turns: [{ when: 'wordy', steps: [{ text: '漢'.repeat(100_000) }] }],
      fallback: { text: 'Yes.' },
      context_window: 1_000_000,
    },
  });
}, 300_000);
afterAll(() => stack?.stop(), 60_000);

test('fifty posts at once are all taken, in a handful of updates', async () => {
  const session = await startDirectSession(stack);
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => session.say(`message ${i}`)));
  expect(answers.every((answer) => answer.ok)).toBe(true);
  const history = await stack.temporalClient.workflow.getHandle(sessionWorkflowId(session.id)).fetchHistory();
  const updates = history.events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes) ?? [];
  expect(updates.length).toBeLessThan(10);
  await session.until((event) => event.type === 'session.status_idle');
  const said = (await session.events()).filter((event) => event.type === 'user.message');
  expect(said).toHaveLength(50);
});

test('an insert that fails for a while loses no entry', async () => {
  const session = await startDirectSession(stack);
  await session.turn('before');
  const { pool } = stack.database;
  await pool.query('alter table log_entries rename to log_entries_away');
  await session.say('while the store refuses');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await session.say('and once more');
  await pool.query('alter table log_entries_away rename to log_entries');
  await session.until((event) => JSON.stringify(event).includes('once more'), { ms: 30_000 });
  await session.until((event) => event.type === 'session.status_idle', { from: 20, ms: 30_000 });
  const entries = await session.entries();
  expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => index));
  expect(entries.filter((entry) => isEventEntry(entry) && entry.event.type === 'user.message')).toHaveLength(3);
}, 90_000);

test('a reply of 100,000 Chinese characters stays out of history and comes back whole', async () => {
  const session = await startDirectSession(stack);
  await session.turn('wordy', 60_000);
  const entry = (await session.entries()).find((one) => isEventEntry(one) && one.event.type === 'agent.message');
  expect(entry && isEventEntry(entry) ? entry.blobs?.[0]?.bytes : 0).toBe(300_000);
  const description = await stack.temporalClient.workflow.getHandle(sessionWorkflowId(session.id)).describe();
  expect(description.historySize).toBeLessThan(100_000);
  await session.turn('go on');
  const asked = JSON.stringify(stack.rehearsal.requests.at(-1)?.body);
  expect(asked.split('漢').length - 1).toBe(100_000);
}, 90_000);

describe('history grows by what is new', () => {
  test('twice the turns, twice the bytes', async () => {
    const session = await startDirectSession(stack, { settings: { maxRunEvents: 100_000, maxRunBytes: 1e9 } });
    const size = async () =>
      (await stack.temporalClient.workflow.getHandle(sessionWorkflowId(session.id)).describe()).historySize ?? 0;
    for (let i = 0; i < 20; i++) await session.turn(`turn ${i}`);
    const first = await size();
    for (let i = 0; i < 20; i++) await session.turn(`turn ${i}`);
    expect((await size()) / first).toBeLessThan(2.2);
  }, 90_000);
});

test('a turn that was asked for twice under one request id runs once, across continue-as-new', async () => {
  const session = await startDirectSession(stack, { settings: { maxRunEvents: 20 } });
  const op = {
    op: 'events' as const,
    events: [{ event: { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'once' }] } }],
  };
  const first = await session.ask(op, 'the same');
  await session.until((event) => event.type === 'session.status_idle');
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    await session.turn(`turn ${i}`);
  }
  const runs = await stack.database.pool.query('select 1 from segments where session_id = $1', [session.id]);
  expect(runs.rows.length).toBeGreaterThan(0);
  expect(await session.ask(op, 'the same')).toEqual(first);
  expect(JSON.stringify(await session.entries()).split('"once"').length - 1).toBe(1);
}, 60_000);

test('a model request that waits for the next run does not wait for a sandbox that somebody asks for meanwhile', async () => {
  // Nobody makes sandboxes here, so what waits for one waits for ever.
  const turns = Array.from({ length: 8 }, async () => {
    const session = await startDirectSession(stack, { settings: { maxRunEvents: 10 } });
    await session.turn('first');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const [answer] = await Promise.all([session.say('second'), session.ask({ op: 'sandbox' })]);
    const from = answer.ok ? (answer.events[0]?.seq ?? 0) : 0;
    await session.until((event) => event.type === 'session.status_idle', { from, ms: 20_000 });
  });
  await Promise.all(turns);
}, 60_000);
