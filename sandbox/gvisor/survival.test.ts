/** What is left when processes of the host die: workers, sandboxes that hang, whole installations. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bashCall, outcomeText, shell, signal } from '../contract.ts';
import type { SandboxRef, ToolCall } from '../hands.ts';
import { isAlive } from './host-process.ts';
import { type GvisorSubject, openTestHands } from './testing.ts';

let subject: GvisorSubject;
beforeAll(async () => {
  subject = await openTestHands({ patienceMs: 3_000 });
});
afterAll(async () => await subject?.dispose(), 30_000);

/** Starts a worker in a process of its own; `lines` are what it says. */
function startWorker(owner: GvisorSubject, sessionId: string, call?: Partial<ToolCall>) {
  const { checkpoints: _, log: __, ...options } = owner.options;
  const script = fileURLToPath(new URL('./testing-worker.ts', import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify({ options, sessionId, call })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, line: async () => String((await lines.next()).value) };
}

async function killProcess(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a worker killed in the middle of a command: the command goes on, its effect is there once', async () => {
  const call = bashCall('echo begun >> effect; sleep 1.5; echo done >> effect; cat effect');
  const worker = startWorker(subject, 'killed-worker', call);
  await worker.line();
  const ref = JSON.parse(await worker.line()) as SandboxRef;
  await sleep(900);
  await killProcess(worker.child);
  expect(await subject.hands.provision({ sessionId: 'killed-worker', generation: 1 }, signal)).toEqual(ref);
  expect(outcomeText(await subject.hands.execute(ref, call, signal))).toBe('begun\ndone');
  expect(await shell(subject.hands, ref, 'wc -l < effect')).toBe('2');
  await subject.hands.release(ref);
}, 30_000);

test.each([20, 150, 300, 500])(
  'a worker killed %i ms into making a sandbox: the next one makes it',
  async (ms) => {
    const worker = startWorker(subject, `half-made-${ms}`);
    await worker.line();
    await sleep(ms);
    await killProcess(worker.child);
    const next = await subject.hands.provision({ sessionId: `half-made-${ms}`, generation: 1 }, signal);
    expect(await shell(subject.hands, next, 'echo made')).toBe('made');
    await subject.hands.release(next);
  },
  30_000,
);

test('a sandbox that hangs is ended and reported as lost', async () => {
  const ref = await subject.hands.provision({ sessionId: 'hanging', generation: 1 }, signal);
  await shell(subject.hands, ref, 'true');
  const { pid, pidStart } = await subject.record(ref);
  const running = subject.hands.execute(ref, bashCall('sleep 30', { deadlineMs: 60_000 }), signal);
  await sleep(300);
  process.kill(pid, 'SIGSTOP');
  expect(await running).toMatchObject({ kind: 'lost', started: 'maybe' });
  expect(isAlive(pid, pidStart)).toBe(false);
}, 30_000);

test('two workers at once, and a tool server that crashes: both find it again', async () => {
  const ref = await subject.hands.provision({ sessionId: 'two-workers', generation: 1 }, signal);
  const other = await subject.reopen();
  for (const hands of [subject.hands, other, subject.hands]) expect(await shell(hands, ref, 'echo ok')).toBe('ok');
  await subject.insideAsRoot(ref, 'kill -9 $(pgrep -f "^/run/tools/node /run/tools/tool-server.mjs /run")');
  const both = [subject.hands, other].map((hands) => shell(hands, ref, 'echo again'));
  expect(await Promise.all(both)).toEqual(['again', 'again']);
  await other.close();
  await subject.insideAsRoot(ref, 'kill -9 $(pgrep -f "^/run/tools/node /run/tools/tool-server.mjs /run")');
  expect(await shell(subject.hands, ref, 'echo and again')).toBe('and again');
  await subject.hands.release(ref);
}, 30_000);

test('sandboxes whose data folder was removed are ended by whoever starts next', async () => {
  const gone = await openTestHands();
  const worker = startWorker(gone, 'orphan');
  await worker.line();
  const ref = JSON.parse(await worker.line()) as SandboxRef;
  const { pid, pidStart, goferPid } = await gone.record(ref);
  await killProcess(worker.child);
  await rm(gone.options.stateDir, { recursive: true, force: true });
  expect(isAlive(pid, pidStart)).toBe(true);
  const next = await openTestHands();
  await next.hands.probe();
  await expect.poll(() => isAlive(pid, pidStart)).toBe(false);
  expect(existsSync(`/proc/${goferPid}`) && readFileSync(`/proc/${goferPid}/cmdline`, 'utf8')).toBeFalsy();
  await next.dispose();
}, 30_000);

test('a released sandbox leaves no process and no file on the host', async () => {
  const ref = await subject.hands.provision({ sessionId: 'clean', generation: 1 }, signal);
  const { pid, pidStart, uid } = await subject.record(ref);
  await shell(subject.hands, ref, 'setsid sleep 100 & echo x > f');
  await subject.hands.release(ref);
  expect(isAlive(pid, pidStart)).toBe(false);
  if (uid !== undefined) await expect.poll(() => processesOf(uid), { timeout: 3_000 }).toEqual([]);
}, 30_000);

function processesOf(uid: number): string[] {
  const { execFileSync } = process.getBuiltinModule('node:child_process');
  try {
    return execFileSync('pgrep', ['-U', String(uid)], { encoding: 'utf8' })
      .trim()
      .split('\n');
  } catch {
    return [];
  }
}
