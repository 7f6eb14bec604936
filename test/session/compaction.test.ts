/** Sessions that outgrow their model's window: summarised by the model, with the log as it was. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isEventEntry } from '../../events/entry.ts';
import type { SessionEvent } from '../../events/wire.ts';
import { type DirectSession, startDirectSession } from '../support/direct-session.ts';
import { type Stack, startStack } from '../support/stack.ts';

const SUMMARY = 'They sent numbered letters.';
const LETTER = 'lorem ipsum '.repeat(300);

let folder: string;
let stack: Stack;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-models-'));
  const models = {
    // About as small as the provider's own window.
    small: { window: 8_000, max_output: 1_000 },
    // Thinks that it has more room than the provider gives it.
    optimist: { window: 50_000, max_output: 1_000 },
  };
  await writeFile(join(folder, 'models.json'), JSON.stringify(models));
  stack = await startStack({
    env: { LONGHAND_MODELS: join(folder, 'models.json') },
    script: {
      rehearsal: 'A window that fills',
      context_window: 8_000,
      summary: { pace: { first_token_ms: 1_000 }, text: SUMMARY },
      fallback: { text: 'Noted.' },
    },
  });
}, 300_000);
afterAll(async () => {
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

const letter = (n: number) => `letter ${n}: ${LETTER}`;
const isCompaction = (event: SessionEvent) => event.type === 'agent.thread_context_compacted';
const asked = () => stack.rehearsal.requests.map((request) => JSON.stringify(request.body));
const summariesAsked = () => asked().filter((body) => body.includes('Write a summary that will take its place')).length;

async function expectWholeLog(session: DirectSession, letters: number): Promise<void> {
  const entries = await session.entries();
  expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => index));
  const texts = entries.flatMap((entry) =>
    isEventEntry(entry) && entry.event.type === 'user.message' ? [JSON.stringify(entry.event.content)] : [],
  );
  expect(texts).toEqual(Array.from({ length: letters }, (_, n) => JSON.stringify([{ type: 'text', text: letter(n) }])));
}

test('a session whose window fills is summarised and goes on; its log keeps every word', async () => {
  const session = await startDirectSession(stack, { model: 'small' });
  for (let n = 0; n < 20; n++) {
    const idle = await session.turn(letter(n), 30_000);
    expect(idle.stop_reason.type).toBe('end_turn');
  }
  const events = await session.events();
  expect(events.filter(isCompaction).length).toBeGreaterThanOrEqual(2);
  expect(Object.keys(events.find(isCompaction) ?? {}).sort()).toEqual(['id', 'processed_at', 'type']);
  expect(events.filter((event) => event.type === 'session.error')).toEqual([]);
  await expectWholeLog(session, 20);
  const last = asked().at(-1) ?? '';
  expect(last).toContain(SUMMARY);
  expect(last).toContain('letter 19');
  expect(last).not.toContain('letter 0:');
}, 240_000);

test('a brain that is killed while the summary is being made: it is made again, once, and the session goes on', async () => {
  const session = await startDirectSession(stack, { model: 'small' });
  const before = summariesAsked();
  let letters = 0;
  while (summariesAsked() === before) {
    if (letters > 20) throw new Error('No summary was asked for in 20 turns.');
    await session.say(letter(letters));
    letters += 1;
    const { seq } = (await session.entries()).at(-1) ?? { seq: 0 };
    await Promise.race([
      session.until((event) => event.type === 'session.status_idle', { from: seq, ms: 30_000 }),
      summaryAsked(before),
    ]);
  }
  await stack.brain.kill();
  await stack.brain.start();
  await session.until(isCompaction, { ms: 60_000 });
  await session.until((event) => event.type === 'agent.message' && event.processed_at !== null, { ms: 60_000 });
  const idle = await session.turn(letter(letters), 60_000);
  expect(idle.stop_reason.type).toBe('end_turn');
  expect(summariesAsked() - before).toBe(2);
  expect((await session.events()).filter(isCompaction)).toHaveLength(1);
  await expectWholeLog(session, letters + 1);
}, 240_000);

async function summaryAsked(before: number): Promise<void> {
  for (const end = Date.now() + 30_000; summariesAsked() === before && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a provider that finds even the request for a summary too long is asked for a smaller one', async () => {
  const session = await startDirectSession(stack, { model: 'optimist' });
  const before = summariesAsked();
  let letters = 0;
  while (!(await session.events()).some(isCompaction)) {
    if (letters > 20) throw new Error('No compaction in 20 turns.');
    const idle = await session.turn(letter(letters), 60_000);
    letters += 1;
    expect(idle.stop_reason.type).toBe('end_turn');
  }
  expect(summariesAsked() - before).toBeGreaterThan(1);
  expect((await session.turn(letter(letters), 30_000)).stop_reason.type).toBe('end_turn');
  await expectWholeLog(session, letters + 1);
}, 240_000);

test('a message that can never fit ends its turn in the open, and the session can go on', async () => {
  const session = await startDirectSession(stack, { model: 'small' });
  const idle = await session.turn('x'.repeat(60_000), 60_000);
  expect(idle.stop_reason.type).toBe('retries_exhausted');
  const errors = (await session.events()).flatMap((event) =>
    event.type === 'session.error' ? [event.error.type] : [],
  );
  expect(errors).toEqual(['compaction_limit_reached_error']);
  expect((await session.turn('Never mind.', 60_000)).stop_reason.type).toBe('end_turn');
  expect(asked().at(-1)).toContain('shortened');
}, 120_000);
