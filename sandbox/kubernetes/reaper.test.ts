/** Orphans go, and nothing else does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shell, signal } from '../contract.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from './testing.ts';

const missing = clusterMissing();

describe.skipIf(missing)(`the reaper${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let subject: KubernetesSubject;
  beforeAll(async () => {
    subject = await openTestHands();
  });
  afterAll(async () => await subject?.dispose(), 60_000);

  const make = (sessionId: string) => subject.hands.provision({ sessionId, generation: 1 }, signal);

  test('ends the sandboxes of sessions that are over, and spares the living, the young, the pool and the unknown', async () => {
    const { hands } = subject;
    await hands.refill(1, signal);
    const [live, unknown, over] = [await make('live'), await make('unknown'), await make('over')];
    const another = await openTestHands();
    const foreign = await another.hands.provision({ sessionId: 'foreign', generation: 1 }, signal);
    const isLive = async (sessionId: string) => {
      if (sessionId === 'unknown') throw new Error('Temporal is away.');
      return sessionId === 'live';
    };
    await hands.refill(1, signal);
    expect(await hands.reap(600_000, isLive)).toBe(0);
    expect(await hands.reap(0, isLive)).toBe(1);
    for (const ref of [live, unknown]) expect(await shell(hands, ref, 'echo here')).toBe('here');
    expect(await shell(another.hands, foreign, 'echo here')).toBe('here');
    await expect
      .poll(async () => (await hands.execute(over, { ...call, id: `c${Math.random()}` }, signal)).kind)
      .toBe('lost');
    expect((await make('next')).id).toMatch(/^lh-pool-/);
    await another.dispose();
  }, 120_000);
});

const call = { thread: 'main', name: 'bash', input: { command: 'true' }, deadlineMs: 5_000 };
