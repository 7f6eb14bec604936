import { expect, test } from 'vitest';
import { createScreen, type Output } from './screen.ts';
import { localTime, writeTable } from './table.ts';

function record(more: Partial<Output> = {}): Output & { text: string } {
  return {
    text: '',
    write(text: string) {
      this.text += text;
    },
    ...more,
  };
}

test('colours are for terminals, and not with NO_COLOR or a dumb one', () => {
  const styled = (output: Partial<Output>, env: NodeJS.ProcessEnv) => {
    const out = record(output);
    createScreen(out, env).line('who', 'what', 'red');
    return out.text.includes('\x1b[');
  };
  expect(styled({ isTTY: true }, {})).toBe(true);
  expect(styled({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
  expect(styled({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
  expect(styled({}, {})).toBe(false);
});

test('nothing from a model or a sandbox reaches the terminal as a control character', () => {
  const out = record();
  const screen = createScreen(out, {});
  const evil = 'a\x1b]0;title\x07b\x9b31m\r\u202ec';
  screen.line('who', evil);
  screen.detail([evil]);
  screen.flow('says', evil);
  screen.endFlow();
  writeTable(out, {}, ['NAME'], [[`${evil}\nsecond line`]]);
  expect(out.text).toContain('\\x1b]0;title\\x07b\\x9b31m\\x0d\\u202ec');
  expect(out.text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
  expect(out.text).toContain('\\nsecond line\n');
});

test('text that arrives in pieces keeps its lines and indentation, and is wrapped at spaces', () => {
  const out = record({ columns: 60 });
  const screen = createScreen(out, {}, () => 'now');
  for (const piece of ['One', ' two\n\n', '  - thr', 'ee\n', 'x '.repeat(30), '\n\n']) screen.flow('says', piece);
  screen.endFlow();
  const lines = out.text.split('\n');
  expect(lines[0]).toBe(`${'now'.padStart(8)}  ${'says'.padEnd(11)}One two`);
  expect(lines.slice(1, 3)).toEqual(['', `${' '.repeat(21)}  - three`]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(lines.slice(3).join('').replaceAll(' ', '')).toBe('x'.repeat(30));
  expect(lines.at(-1)).toBe('');
});

test('a table has headings and is cut on a terminal only; times are local', () => {
  const rows = [
    ['a', 'long text that goes on'],
    ['bcd', ''],
  ];
  const terminal = record({ isTTY: true, columns: 12 });
  writeTable(terminal, { NO_COLOR: '1' }, ['ID', 'TEXT'], rows);
  expect(terminal.text).toBe('ID   TEXT\na    long te\nbcd\n');
  const pipe = record();
  writeTable(pipe, {}, ['ID', 'TEXT'], rows);
  expect(pipe.text).toBe('a    long text that goes on\nbcd\n');
  expect(new Date(localTime('2026-11-21T06:00:00Z'))).toEqual(new Date('2026-11-21T06:00:00Z'));
});
