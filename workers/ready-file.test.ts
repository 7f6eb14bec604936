import { mkdtemp, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepReadyFile } from './ready-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-ready-'));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

test('the file is there while the part takes work, as old as its last sign of life, and gone after', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const path = join(folder, 'ready');
  const end = await keepReadyFile(path);
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(path, longAgo, longAgo);
  vi.advanceTimersByTime(5_000);
  await vi.waitFor(async () => expect((await stat(path)).mtimeMs).toBeGreaterThan(longAgo.getTime() + 1_000));
  await end();
  vi.advanceTimersByTime(60_000);
  await end();
  await expect(stat(path)).rejects.toThrow(/ENOENT/);
});

test('the file of a part that takes no more work grows old', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const path = join(folder, 'ready');
  let asked = 0;
  const end = await keepReadyFile(path, () => {
    asked++;
    return false;
  });
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(path, longAgo, longAgo);
  vi.advanceTimersByTime(15_000);
  vi.useRealTimers();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(asked).toBe(3);
  expect((await stat(path)).mtimeMs).toBe(longAgo.getTime());
  await end();
});

test('a folder that is not there ends the start', async () => {
  await expect(keepReadyFile(join(folder, 'nowhere', 'ready'))).rejects.toThrow(/ENOENT/);
});
