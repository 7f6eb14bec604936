import { expect, test } from 'vitest';
import { createRounds } from './rounds.ts';

/** Whether it has resolved by now. */
async function isOver(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))]);
}

test('an answer waits for the end of its own thread’s model request', async () => {
  const rounds = createRounds(60_000);
  const one = rounds.end('one');
  const other = rounds.end('other');
  rounds.ended('one');
  expect(await isOver(one)).toBe(true);
  expect(await isOver(other)).toBe(false);
  rounds.ended('other');
});

test('a model request that another worker got makes an answer wait only a moment', async () => {
  const began = performance.now();
  await createRounds(30).end('one');
  expect(performance.now() - began).toBeGreaterThan(20);
});

test('a publish that is asked for again does not leave the first one waiting', async () => {
  const rounds = createRounds(60_000);
  const first = rounds.end('one');
  const again = rounds.end('one');
  expect(await isOver(first)).toBe(true);
  rounds.ended('one');
  expect(await isOver(again)).toBe(true);
});

test('the end of a model request that nobody waits for is nothing', () => {
  createRounds().ended('one');
});
