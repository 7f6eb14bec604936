/** Tables and times for a terminal. */
import { printableLine } from './printable.ts';
import { type Output, painter } from './screen.ts';

/** Columns as wide as they must be; on a terminal the last one is cut at its edge. Nothing but the rows when piped. */
export function writeTable(output: Output, env: NodeJS.ProcessEnv, header: string[], rows: string[][]): void {
  const paint = painter(output, env);
  const cells = rows.map((row) => row.map(printableLine));
  const shown = output.isTTY ? [header, ...cells] : cells;
  const widths = header.map((_, column) => Math.max(...shown.map((row) => (row[column] ?? '').length), 0));
  for (const [index, row] of shown.entries()) {
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    const cut = output.isTTY && output.columns ? line.slice(0, output.columns) : line;
    output.write(`${paint(output.isTTY && index === 0 ? 'dim' : 'plain', cut.trimEnd())}\n`);
  }
}

/** Names and values, one a line. */
export function writeFields(output: Output, env: NodeJS.ProcessEnv, fields: [name: string, value: string][]): void {
  const paint = painter(output, env);
  const width = Math.max(...fields.map(([name]) => name.length));
  for (const [name, value] of fields) output.write(`${paint('dim', name.padEnd(width))}  ${printableLine(value)}\n`);
}

/** `2026-11-21 06:03:55` in the machine's time zone. @param iso - RFC 3339 */
export function localTime(iso: string): string {
  return `${localDay(iso)} ${localClock(iso)}`;
}

export function localDay(iso: string): string {
  const at = new Date(iso);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

export function localClock(iso: string): string {
  const at = new Date(iso);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
