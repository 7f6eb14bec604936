/** What a sandbox keeps while nothing happens in it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outcomeText, shell, signal, toolCall } from '../contract.ts';
import { type GvisorSubject, openTestHands } from './testing.ts';

let subject: GvisorSubject;
beforeAll(async () => {
  subject = await openTestHands();
});
afterAll(async () => await subject?.dispose(), 30_000);

test('the process of the file tools ends after half a minute without a call, is there again for the next, and works', async () => {
  const { hands, insideAsRoot } = subject;
  const ref = await hands.provision({ sessionId: 'rests', generation: 1 }, signal);
  // Not this question itself.
  const toolProcesses = async () => Number(await insideAsRoot(ref, "pgrep -fc '[-]-tools$'"));
  await shell(hands, ref, 'echo kept > file');
  await expect.poll(toolProcesses, { timeout: 5_000 }).toBe(1);
  await sleep(25_000);
  expect(await toolProcesses()).toBe(1);
  await expect.poll(toolProcesses, { timeout: 15_000 }).toBe(0);
  const read = toolCall({ name: 'read', input: { file_path: '/workspace/file' } });
  expect(outcomeText(await hands.execute(ref, read, signal))).toContain('kept');
  expect(await toolProcesses()).toBe(1);
}, 90_000);
