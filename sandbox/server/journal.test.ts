import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { settleLeftOpen } from './calls.ts';
import { openJournal } from './journal.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lh-journal-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const result = { content: [{ type: 'text' as const, text: 'done – 字' }], isError: false };

test('a finished call has its result after a restart, and only the server can read it', () => {
  const journal = openJournal(dir);
  journal.accept('a', 'main', 'f');
  const startedAt = journal.start('a');
  journal.finish('a', result, startedAt);
  journal.close();
  const again = openJournal(dir);
  expect(again.result('a')).toMatchObject({ ...result, startedAt });
  expect(again.open()).toEqual([]);
  expect(statSync(join(dir, 'journal.jsonl')).mode & 0o777).toBe(0o600);
  again.close();
});

test('a started call without an end is unknown after a restart; an accepted one may still run', () => {
  const journal = openJournal(dir);
  journal.accept('started', 'main', 'f');
  journal.start('started');
  journal.accept('accepted', 'main', 'g');
  journal.close();
  const again = openJournal(dir);
  settleLeftOpen(again);
  expect(again.get('started')).toMatchObject({ state: 'unknown', fingerprint: 'f' });
  expect(again.get('accepted')).toMatchObject({ state: 'accepted', thread: 'main' });
  again.close();
  expect(openJournal(dir).get('started')?.state).toBe('unknown');
});

test('a line that was cut off by a crash is as if it had not been written', () => {
  const journal = openJournal(dir);
  journal.accept('a', 'main', 'f');
  journal.close();
  const file = join(dir, 'journal.jsonl');
  const whole = readFileSync(file, 'utf8');
  appendFileSync(file, '{"id":"a","entry":"finis');
  const again = openJournal(dir);
  expect(again.get('a')?.state).toBe('accepted');
  again.finish('a', result);
  again.close();
  expect(readFileSync(file, 'utf8').startsWith(whole)).toBe(true);
  expect(openJournal(dir).result('a')).toMatchObject(result);
});

test('whether the files were restored is remembered', () => {
  const journal = openJournal(dir);
  expect(journal.restored()).toBe(false);
  journal.markRestored();
  journal.close();
  expect(openJournal(dir).restored()).toBe(true);
});
