/** What the cluster may do to a sandbox, done: its kernel killed, its disk full, its API server away. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bashCall, outcomeText, shell, signal } from '../contract.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from './testing.ts';

const missing = clusterMissing();
/** A program that stops (`away`) and continues (`back`) the API server of the test cluster; only its own machine can. */
const apiServer = process.env.LONGHAND_TEST_API_SERVER;
/** A program that takes the node's power away (`crash`) and gives it back (`boot`). */
const node = process.env.LONGHAND_TEST_NODE;

function control(command = '', word: string): void {
  const [program = '', ...args] = command.split(' ');
  execFileSync(program, [...args, word], { stdio: ['ignore', 'ignore', 'inherit'] });
}

describe.skipIf(missing)(`faults of a cluster${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let subject: KubernetesSubject;
  beforeAll(async () => {
    const MIB = 1024 ** 2;
    subject = await openTestHands({ limits: { memoryBytes: 256 * MIB, diskBytes: 64 * MIB, pids: 100 } });
  });
  afterAll(async () => await subject?.dispose(), 60_000);
  const make = (sessionId: string, generation = 1) => subject.hands.provision({ sessionId, generation }, signal);

  test('memory: the largest process is killed, and the agent is told why; the next call works', async () => {
    const ref = await make('memory');
    const eat = `node -e 'const a=[];for(;;){a.push(Buffer.alloc(16<<20,1));require("child_process").spawnSync("sleep",["0.03"])}'`;
    const outcome = await subject.hands.execute(ref, bashCall(eat), signal);
    expect(outcomeText(outcome)).toContain('memory limit of 256 MiB was reached');
    expect(await shell(subject.hands, ref, 'echo next')).toBe('next');
    await subject.hands.release(ref);
  }, 60_000);

  test('memory that is eaten faster than anybody looks: an error, and the next call works, made anew if need be', async () => {
    const ref = await make('oom');
    const eat = bashCall(`head -c 900M /dev/zero | tail`, { deadlineMs: 60_000 });
    const outcome = await subject.hands.execute(ref, eat, signal);
    if (outcome.kind === 'finished') expect(outcome.isError).toBe(true);
    expect(await subject.hands.execute(ref, eat, signal)).toMatchObject({ kind: outcome.kind });
    const next = await subject.hands.execute(ref, bashCall('echo next'), signal);
    if (next.kind === 'finished') expect(outcomeText(next)).toContain('next');
    else expect(await shell(subject.hands, await make('oom', 2), 'echo next')).toContain('next');
  }, 120_000);

  test('a fork bomb ends, at worst with its sandbox, and the next command runs', async () => {
    const ref = await make('forks');
    const bomb = bashCall('bomb() { bomb | bomb & }; bomb; sleep 8', { deadlineMs: 15_000 });
    // On a machine that is slow to count, they take the memory of the pod before they are too many.
    const { kind } = await subject.hands.execute(ref, bomb, signal);
    let next = kind === 'lost' ? await make('forks', 2) : ref;
    const follow = async () => {
      const outcome = await subject.hands.execute(next, bashCall('echo next'), signal);
      if (outcome.kind === 'lost' && next === ref) next = await make('forks', 2);
      return outcome.kind;
    };
    await expect.poll(follow, { timeout: 30_000 }).toBe('finished');
    await subject.hands.release(next);
  }, 90_000);

  test('a disk that is over its limit: the sandbox is evicted, its call is lost, and the next one works', async () => {
    const ref = await make('disk');
    const fill = bashCall('head -c 200M /dev/zero > big; sleep 150', { deadlineMs: 170_000 });
    const outcome = await subject.hands.execute(ref, fill, signal);
    // The kubelet may end the shell a moment before the supervisor, which then still says that nobody knows.
    if (outcome.kind === 'lost') expect(outcome.started).toBe('maybe');
    else expect(outcome.kind).toBe('unknown');
    await expect
      .poll(async () => await subject.hands.execute(ref, bashCall('true'), signal), { timeout: 30_000 })
      .toMatchObject({ kind: 'lost', started: 'no' });
    const next = await make('disk', 2);
    expect(await shell(subject.hands, next, 'echo next')).toContain('next');
    await subject.hands.release(next);
  }, 240_000);

  test.skipIf(!node)(
    'a node that reboots: what ran is lost or goes on, never twice, and the session’s next sandbox has its files',
    async () => {
      const ref = await make('reboot');
      await shell(subject.hands, ref, 'echo kept > file');
      const restore = await subject.hands.checkpoint(ref);
      const running = subject.hands.execute(
        ref,
        bashCall('echo line >> file; sleep 300', { deadlineMs: 400_000 }),
        signal,
      );
      await sleep(1_000);
      control(node, 'crash');
      await sleep(3_000);
      control(node, 'boot');
      expect((await running).kind).toMatch(/lost|unknown/);
      // It may have come up again, with its files; or it is gone.
      const look = bashCall('cat file', { deadlineMs: 60_000 });
      const again = await subject.hands.execute(ref, look, signal);
      if (again.kind === 'finished') expect(outcomeText(again)).toContain('kept\nline');
      const next = await subject.hands.provision(
        { sessionId: 'reboot', generation: 2, ...(restore ? { restore } : {}) },
        signal,
      );
      expect(await shell(subject.hands, next, 'cat file')).toMatch(/\]\nkept$/);
      await subject.hands.release(next);
    },
    240_000,
  );

  test.skipIf(!apiServer)(
    'an API server that is away for 60 s: sandboxes that are there go on, new ones come when it is back',
    async () => {
      const ref = await make('away');
      const running = shell(subject.hands, ref, 'sleep 20; echo through', { deadlineMs: 60_000 });
      await sleep(500);
      control(apiServer, 'away');
      try {
        expect(await shell(subject.hands, ref, 'echo during', { thread: 'other' })).toBe('during');
        const another = await subject.reopen();
        const late = shell(another, ref, 'echo of another worker', { thread: 'third' });
        const made = subject.hands.provision({ sessionId: 'made-while-away', generation: 1 }, signal);
        made.catch(() => undefined);
        await sleep(60_000);
        control(apiServer, 'back');
        expect(await running).toBe('through');
        expect(await late).toBe('of another worker');
        await made.catch(() => undefined);
        const next = await subject.hands.provision({ sessionId: 'made-while-away', generation: 1 }, signal);
        expect(await shell(subject.hands, next, 'echo made')).toBe('made');
        await another.close();
      } finally {
        control(apiServer, 'back');
      }
    },
    180_000,
  );
});
