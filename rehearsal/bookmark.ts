/**
 * Where a rehearsal stood when its conversation was replaced by a summary. A real model remembers through what it wrote
 * into the summary; so does the rehearsal: its summaries end with this line, and it looks for it in later requests.
 */

export interface Bookmark {
  /** Index into the script's turns; -1: none of them. */
  turn: number;
  /** Index of the next line of that turn. */
  line: number;
  /** Turns without a condition that were begun so far. */
  ordered: number;
}

export function writeBookmark({ turn, line, ordered }: Bookmark): string {
  return `[rehearsal bookmark: turn ${turn} line ${line} ordered ${ordered}]`;
}

/** The last bookmark in a text. */
export function findBookmark(text: string): Bookmark | undefined {
  const found = [...text.matchAll(/\[rehearsal bookmark: turn (-?\d+) line (\d+) ordered (\d+)\]/g)].at(-1);
  return found && { turn: Number(found[1]), line: Number(found[2]), ordered: Number(found[3]) };
}
