/**
 * What an agent may do to use up a machine, and what it is told. Run by the tests as root with control groups, as root
 * without, and in a process of an ordinary user.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { bashCall, outcomeText, shell, signal } from '../contract.ts';
import type { SandboxLimits, SandboxRef } from '../hands.ts';
import type { GvisorSubject } from './testing.ts';
import { cpuSecondsOf } from './testing-cpu.ts';

export const SMALL: SandboxLimits = {
  memoryBytes: 384 * 1024 ** 2,
  cpus: 1,
  pids: 100,
  diskBytes: 128 * 1024 ** 2,
  outputBytes: 200_000,
};

/** Name of what was tried → what the agent saw, in order; `after …` is the next call. */
export type LimitsReport = Record<string, string>;

export async function tryLimits(subject: GvisorSubject): Promise<LimitsReport> {
  const { hands } = subject;
  const ref = await hands.provision({ sessionId: 'limits', generation: 1 }, signal);
  const report: LimitsReport = {};
  const attempt = async (name: string, command: string, after = 'echo next') => {
    report[name] = await shell(hands, ref, command, { deadlineMs: 30_000 });
    report[`after ${name}`] = await shell(hands, ref, after, { deadlineMs: 30_000 });
  };
  await attempt('memory', 'head -c 3G /dev/zero | tail -c 2G | wc -c');
  await attempt('shared memory', 'head -c 1G /dev/zero > /dev/shm/x; rm /dev/shm/x; head -c 1G /dev/zero > /run/x');
  await attempt(
    'disk',
    'dd if=/dev/zero of=/workspace/big bs=1M 2>&1; echo x > ~/y',
    'rm /workspace/big && echo z > ~/y && echo next',
  );
  await attempt('files', 'mkdir m; cd m; seq 200000 | xargs touch', 'rm -rf /workspace/m; echo next');
  await attempt('output', 'yes | head -c 1000000');
  await attempt('fork bomb', ':(){ :|:& };: ; sleep 8', 'ls / > /dev/null && echo next');
  await attempt('everything', 'rm -rf --no-preserve-root /home /workspace /tmp /var /mnt /run 2>/dev/null; kill -9 -1');
  const busy = hands.execute(
    ref,
    bashCall('for i in 1 2 3; do timeout 4 sh -c "while :; do :; done" & done; wait'),
    signal,
  );
  await sleep(1_200);
  const { pid } = await subject.record(ref);
  const [before, began] = [cpuSecondsOf(pid), performance.now()];
  await sleep(2_000);
  report['cpus used'] = String((cpuSecondsOf(pid) - before) / ((performance.now() - began) / 1_000));
  outcomeText(await busy);
  await tryOuterLimit(subject, ref, report);
  return report;
}

/** With the tool server stopped, nobody inside watches the memory: the host has to. */
async function tryOuterLimit(subject: GvisorSubject, ref: SandboxRef, report: LimitsReport): Promise<void> {
  const { hands } = subject;
  const hog = "exec node -e 'const a=[];for(;;)a.push(Buffer.alloc(50<<20,1))'";
  await shell(hands, ref, `(until [ -e /tmp/go ]; do sleep 0.1; done; ${hog}) & echo started`);
  const waiting = hands.execute(ref, bashCall('sleep 60', { deadlineMs: 90_000 }), signal);
  await sleep(300);
  const stop = 'kill -STOP $(pgrep -f "^/run/tools/node /run/tools/tool-server.mjs /run") && touch /tmp/go';
  await subject.insideAsRoot(ref, stop);
  report['outer memory'] = JSON.stringify(await waiting);
  report['outer memory log'] = subject.said.at(-1) ?? '';
  const next = await hands.provision({ sessionId: 'limits', generation: 2 }, signal);
  report['after outer memory'] = await shell(hands, next, 'echo next');
  await hands.release(next);
}
