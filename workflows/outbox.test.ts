/** The window of entries that no returned activity has carried: nothing leaves it too early, and nothing is left in it. */
import fc from 'fast-check';
import { beforeEach, expect, test, vi } from 'vitest';
import type { LogEntry } from '../events/entry.ts';
import type { Carry, PublishInput } from './contract.ts';
import { createOutbox } from './outbox.ts';

/** Publishes that are out. Temporal is not here: what an activity does is to store what it carries, once it returns. */
let out: { input: PublishInput; isNew: boolean; returns: () => void }[] = [];
vi.mock('./activities.ts', () => ({
  publish: (input: PublishInput) =>
    new Promise<void>((resolve) => {
      out.push({ input, isNew: true, returns: resolve });
    }),
}));
beforeEach(() => {
  out = [];
});

type Act = 'add' | 'addLarge' | 'flush' | 'published' | 'sample' | 'sampled' | 'sampleFailed';
const usual = fc.constantFrom<Act>('add', 'flush', 'published', 'sample', 'sampled', 'sampleFailed');
const acts = fc.array(
  fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: fc.constant<Act>('addLarge') }),
  { maxLength: 25 },
);

test(
  'whatever fails and however it overlaps, every entry is carried, and only what was carried leaves the window',
  () =>
    fc.assert(
      fc.asyncProperty(acts, async (sequence) => {
        out = [];
        const session = startWindow();
        for (const act of sequence) await session.perform(act);
        await session.drain();
        expect([...session.stored].sort((a, b) => a - b)).toEqual(
          Array.from({ length: session.written() }, (_, i) => i),
        );
      }),
      { numRuns: Number(process.env.LONGHAND_MODEL_RUNS ?? 1_000), ...(process.env.CI ? { seed: 1 } : {}) },
    ),
  120_000,
);

function startWindow() {
  const stored = new Set<number>();
  let written = 0;
  let sample: { carry: Carry; settle(delivered: boolean): void } | undefined;
  const outbox = createOutbox((entries) => ({ entries }) as Carry);

  function entry(text: string): LogEntry {
    const event = { type: 'user.message' as const, id: `${written}`, content: [{ type: 'text' as const, text }] };
    return { thread: 't', seq: written++, event: { ...event, processed_at: null } };
  }

  /** In order, and what is missing before or between is elsewhere: stored, or carried by the model request. */
  function check(entries: LogEntry[], elsewhere: (seq: number) => boolean): void {
    let next = 0;
    for (const { seq } of entries) {
      for (; next < seq; next++) {
        if (!elsewhere(next)) throw new Error(`Entry ${next} is neither stored nor carried, and ${seq} goes out.`);
      }
      expect(seq).toBe(next++);
    }
  }

  /** As the activity would return: what it carried is stored. */
  async function published(): Promise<void> {
    const [next] = out.splice(0, 1);
    if (!next) return;
    for (const one of next.input.carry.entries) stored.add(one.seq);
    next.returns();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async function perform(act: Act): Promise<void> {
    switch (act) {
      case 'add':
      case 'addLarge':
        outbox.add([entry(act === 'add' ? 'small' : 'x'.repeat(700_000))]);
        break;
      case 'flush':
        void outbox.flush();
        break;
      case 'published':
        await published();
        break;
      case 'sample':
        if (sample) break;
        sample = outbox.takeForSample();
        if (sample) check(sample.carry.entries, (seq) => stored.has(seq));
        break;
      case 'sampled':
        for (const one of sample?.carry.entries ?? []) stored.add(one.seq);
        sample?.settle(true);
        sample = undefined;
        break;
      case 'sampleFailed':
        sample?.settle(false);
        sample = undefined;
        break;
    }
    const carried = new Set(sample?.carry.entries.map((one) => one.seq));
    for (const one of out.filter(({ isNew }) => isNew)) {
      check(one.input.carry.entries, (seq) => stored.has(seq) || carried.has(seq));
      one.isNew = false;
    }
    expect(out.length).toBeLessThanOrEqual(1);
    const waiting = written - stored.size;
    expect(outbox.pending).toBeGreaterThanOrEqual(waiting);
  }

  return {
    stored,
    written: () => written,
    perform,
    /** The model request fails, and then everything is published: the worst that may happen at the end. */
    async drain(): Promise<void> {
      await perform('sampleFailed');
      void outbox.flush();
      while (out.length > 0) await published();
      void outbox.flush();
      while (out.length > 0) await published();
      expect(outbox.pending).toBe(0);
      expect(outbox.busy).toBe(false);
    },
  };
}
