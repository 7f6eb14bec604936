import { readFileSync } from 'node:fs';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { describe, expect, test } from 'vitest';
import { readLostRun } from './lost-run.ts';

const recorded = (name: string) => {
  const path = new URL(`../test/histories/${name}.json`, import.meta.url);
  return readLostRun(historyFromJSON(JSON.parse(readFileSync(path, 'utf8'))));
};

describe('the history of a lost run tells', () => {
  test.each(['talk', 'work', 'people', 'interrupts', 'failure', 'continued'])(
    'every entry of %s, without a gap',
    (name) => {
      const run = recorded(name);
      const seqs = new Set(run.carries.flatMap(({ entries }) => entries.map(({ seq }) => seq)));
      const first = run.input?.carried?.seq ?? 0;
      expect(seqs.size).toBeGreaterThan(5);
      expect([...seqs].toSorted((a, b) => a - b)).toEqual(Array.from(seqs, (_, index) => first + index));
    },
  );

  test('which posts were answered, and with what', () => {
    const { posts } = recorded('people');
    expect(posts.length).toBeGreaterThan(1);
    for (const { request, answered } of posts) {
      expect(answered).toMatchObject({ id: request.id, answer: { ok: true } });
      expect(answered.at).toBeGreaterThan(Date.UTC(2025, 0));
    }
  });

  test('which sandbox there was: of the generation that was made last, with its checkpoint', () => {
    const { sandbox } = recorded('idled');
    expect(sandbox.ref?.generation).toBe(2);
    expect(sandbox.generation).toBe(2);
    expect(sandbox.checkpoint?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(sandbox.changes).toBeGreaterThan(sandbox.saved);
    expect(recorded('talk').sandbox).toMatchObject({ generation: 0 });
  });
});
