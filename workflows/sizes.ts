/** Sizes of what goes into history, in UTF-8 bytes of its JSON. */
import type { LogEntry } from '../events/entry.ts';

/** One activity input carries at most this much of the log; the rest follows in further publishes. */
export const MAX_CARRY_BYTES = 1024 * 1024;

/** UTF-8 length of a string, without making a buffer (workflows have no Buffer). */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) bytes += 1;
    else if (code < 0x800) bytes += 2;
    else if (code >= 0xd800 && code < 0xdc00) {
      bytes += 4;
      i += 1;
    } else bytes += 3;
  }
  return bytes;
}

/** The longest prefix that fits one carry; never empty for a non-empty list. */
export function carryPrefix(entries: LogEntry[], max = MAX_CARRY_BYTES): LogEntry[] {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    bytes += utf8Bytes(JSON.stringify(entries[i]));
    if (bytes > max) return entries.slice(0, Math.max(1, i));
  }
  return entries;
}
