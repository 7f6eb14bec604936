/** A rubric is text as people write it; its criteria are what a verdict must speak to, one by one. */

/** More would not be judged with care; the rest is still in the rubric, which the grader reads whole. */
const MAX_CRITERIA = 100;
const MAX_CHARS = 500;

const ITEM = /^(\s*)(?:[-*+•]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(\S.*)$/;

/**
 * The items of its lists at the outermost level, as `1. …` or `- …` begin them; a text without lists is one criterion.
 * @returns at least one.
 */
export function splitRubric(rubric: string): string[] {
  const items: { indent: number; text: string }[] = [];
  let fenced = false;
  for (const line of rubric.split('\n')) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    const item = fenced ? null : ITEM.exec(line);
    if (item) items.push({ indent: (item[1] ?? '').replaceAll('\t', '    ').length, text: (item[2] ?? '').trim() });
  }
  const outermost = Math.min(...items.map(({ indent }) => indent));
  // Within one step of indentation: people are not exact.
  const criteria = items.filter(({ indent }) => indent <= outermost + 1).map(({ text }) => clip(text, MAX_CHARS));
  return criteria.length > 0 ? criteria.slice(0, MAX_CRITERIA) : ['The rubric as a whole.'];
}

/** At most so many characters, with a mark where some are missing. */
export function clip(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1)}…`;
}
