import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchForHang } from './hang-watch.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched(takesWork: () => boolean) {
  const watch = watchForHang({ takesWork });
  let words: string | undefined;
  watch.hung.catch((error: Error) => {
    words = error.message;
  });
  return { watch, words: () => words };
}

test('a worker that takes no work for longer than an end takes has hung', async () => {
  let works = true;
  const { words } = watched(() => works);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(words()).toBeUndefined();
  works = false;
  await vi.advanceTimersByTimeAsync(35_000);
  expect(words()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(words()).toMatch(/takes no work any more.*longhand doctor/);
});

test('one that is told to stop, or works again, has not', async () => {
  let works = false;
  const { words } = watched(() => works);
  await vi.advanceTimersByTimeAsync(30_000);
  works = true;
  await vi.advanceTimersByTimeAsync(6_000);
  works = false;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(words()).toBeUndefined();

  const stopped = watched(() => false);
  stopped.watch.stop();
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(stopped.words()).toBeUndefined();
});
