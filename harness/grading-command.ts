/** Grading by a command in a copy of the workspace: its exit code and output become the verdict. */
import type { ResultBlock } from '../events/wire.ts';
import { clip } from './criteria.ts';
import { explain } from './verdict.ts';

/** The end of an output says most. Characters. */
const OUTPUT_CHARS = 1_400;

export function judgeCommand(
  command: string,
  content: readonly ResultBlock[],
  passed: boolean,
): { result: 'satisfied' | 'needs_revision'; explanation: string } {
  const output = textOf(content).trim();
  const shown = output.length > OUTPUT_CHARS ? `…${output.slice(-OUTPUT_CHARS)}` : output;
  const name = clip(command, 300);
  if (passed) return { result: 'satisfied', explanation: `The command \`${name}\` passed.\n${shown}` };
  const explanation = explain({
    result: 'needs_revision',
    explanation: `The command \`${name}\` failed.`,
    criteria: [{ criterion: `\`${name}\` exits with code 0`, evidence: shown || 'no output', met: false }],
  });
  return { result: 'needs_revision', explanation };
}

export function textOf(content: readonly ResultBlock[]): string {
  return content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
}
