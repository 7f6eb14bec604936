/**
 * What a rehearsal file compares texts with: plain words (contained, upper and lower case alike) or `/a regex/flags`.
 */

/** A pattern as compiled from the file. */
export interface Pattern {
  readonly source: string;
  test(text: string): boolean;
}

const REGEX = /^\/(.*)\/([a-z]*)$/s;

/** Compiles `words` or `/regex/flags`. @throws SyntaxError for a bad regular expression. */
export function pattern(source: string): Pattern {
  const match = REGEX.exec(source);
  if (match) {
    const regex = new RegExp(match[1] ?? '', (match[2] ?? '').replaceAll('g', ''));
    return { source, test: (text) => regex.test(text) };
  }
  const words = source.toLowerCase();
  return { source, test: (text) => text.toLowerCase().includes(words) };
}
