/**
 * Figures of sandboxes on the cluster of KUBECONFIG:
 * `LONGHAND_SANDBOX_IMAGE=… node bench/kubernetes.ts [pods] [burst] [megabytes] [warm]`.
 * Cold pod to first result, round trip of `true`, checkpoint and restore, a burst of sandboxes at once without a pool, and
 * claims of a pool of `warm` pods, one by one and 20 a second.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { bashCall, shell, signal } from '../sandbox/contract.ts';
import type { SandboxRef } from '../sandbox/hands.ts';
import { openTestHands } from '../sandbox/kubernetes/testing.ts';

const [pods = 10, burst = 20, megabytes = 200, warm = 10] = process.argv.slice(2).map(Number);
const SETTLE_MS = 8_000;
const subject = await openTestHands();
const { hands } = subject;

const quantile = (list: number[], q: number) =>
  [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))] ?? Number.NaN;

function show(what: string, list: number[]): void {
  const [p50, p95, most] = [0.5, 0.95, 1].map((q) => quantile(list, q).toFixed(list.length > 0 ? 1 : 0));
  console.log(`${what.padEnd(44)} p50 ${p50}  p95 ${p95}  max ${most} ms  (${list.length})`);
}

async function timed<T>(list: number[], act: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await act();
  list.push(performance.now() - began);
  return result;
}

try {
  const first: number[] = [];
  const made: number[] = [];
  let ref: SandboxRef | undefined;
  for (let i = 0; i < pods; i++) {
    if (ref) await hands.release(ref);
    const spec = { sessionId: `bench-${process.pid}-${i}`, generation: 1 };
    await timed(first, async () => {
      ref = await timed(made, () => hands.provision(spec, signal));
      await shell(hands, ref, 'true');
    });
  }
  show('cold: provision', made);
  show('cold: provision to first result', first);
  if (!ref) throw new Error('No sandbox was made.');
  const one = ref;
  const trips: number[] = [];
  for (let i = 0; i < 120; i++) {
    await timed(trips, () => hands.execute(one, bashCall('true'), signal));
    // As a model would take: the next shell is made ahead of need.
    await sleep(60);
  }
  show('call of `true`, shell made ahead', trips.slice(20));
  if (megabytes > 0) {
    await shell(hands, one, `head -c ${megabytes}M /dev/urandom > random`, { deadlineMs: 60_000 });
    const [packed, restored]: [number[], number[]] = [[], []];
    const checkpoint = await timed(packed, () => hands.checkpoint(one));
    const spec = { sessionId: one.sessionId, generation: 2, restore: checkpoint };
    await hands.release(await timed(restored, () => hands.provision(spec, signal)));
    show(`checkpoint of ${megabytes} MB`, packed);
    show(`cold pod with ${megabytes} MB restored`, restored);
  }
  if (burst > 0) {
    const all: number[] = [];
    const refs = await Promise.all(
      Array.from({ length: burst }, (_, i) =>
        timed(all, async () => {
          const next = await hands.provision({ sessionId: `burst-${process.pid}-${i}`, generation: 1 }, signal);
          await shell(hands, next, 'true');
          return next;
        }),
      ),
    );
    show(`burst of ${burst}: first results`, all);
    await Promise.all(refs.map((each) => hands.release(each)));
  }
  if (warm > 0) {
    const claimed = async (name: string, pauseMs: number) => {
      await hands.refill(warm, signal);
      // What was released is gone by then, and the pods are idle.
      await sleep(SETTLE_MS);
      const [claims, results]: [number[], number[]] = [[], []];
      const refs: Promise<SandboxRef>[] = [];
      for (let i = 0; i < warm; i++) {
        const spec = { sessionId: `${name}-${process.pid}-${i}`, generation: 1 };
        const one = timed(results, async () => {
          const next = await timed(claims, () => hands.provision(spec, signal));
          await shell(hands, next, 'true');
          return next;
        });
        refs.push(one);
        if (pauseMs > 0) await sleep(pauseMs);
        else await one;
      }
      const all = await Promise.all(refs);
      const cold = all.filter(({ id }) => !id.startsWith('lh-pool-')).length;
      if (cold > 0) throw new Error(`${cold} of ${warm} were not of the pool.`);
      await Promise.all(all.map((each) => hands.release(each)));
      return { claims, results };
    };
    const alone = await claimed('alone', 0);
    show('warm: claim', alone.claims);
    show('warm: claim to first result', alone.results);
    const often = await claimed('often', 50);
    show('warm, 20 a second: claim', often.claims);
    show('warm, 20 a second: claim to first result', often.results);
    await hands.refill(0, signal);
  }
} finally {
  await subject.dispose();
}
