/** What would change, for a person: field by field, in YAML, as lines that go and lines that come. */
import { diff, isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { printable } from './printable.ts';
import type { Tone } from './screen.ts';

/** An object of the API. */
export type Stored = { id: string; name: string; version?: number } & Record<string, unknown>;

/** What the server says of an object; nobody declares it. */
const OF_THE_SERVER = new Set(['type', 'id', 'version', 'created_at', 'updated_at', 'archived_at']);
/** Unchanged lines that are shown around a change. */
const CONTEXT = 2;

/** Names of the fields that differ. */
export function changedFields(before: Stored, after: Stored): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => !OF_THE_SERVER.has(name) && !isDeepStrictEqual(before[name], after[name]));
}

export type DiffLine = [tone: Tone, line: string];

/** The lines of the fields' YAML that go (`-`) and come (`+`), with what stands around them. */
export function fieldDifference(before: Partial<Stored>, after: Partial<Stored>, fields: string[]): DiffLine[] {
  const lines: DiffLine[] = [];
  for (const field of fields) {
    // 1 is a line of the first text alone, -1 of the second.
    const entries = diff(toLines(before, field), toLines(after, field));
    const changed = entries.flatMap(([kind], index) => (kind === 0 ? [] : [index]));
    let last = -1;
    for (const [index, [kind, text]] of entries.entries()) {
      if (!changed.some((at) => Math.abs(at - index) <= CONTEXT) && index > 0) continue;
      if (last !== -1 && index > last + 1) lines.push(['dim', '  …']);
      last = index;
      lines.push(kind === 0 ? ['dim', `  ${text}`] : kind === 1 ? ['red', `- ${text}`] : ['green', `+ ${text}`]);
    }
  }
  return lines;
}

function toLines(object: Partial<Stored>, field: string): string[] {
  if (object[field] === undefined) return [];
  return printable(stringify({ [field]: object[field] }, { lineWidth: 0 }).trimEnd()).split('\n');
}
