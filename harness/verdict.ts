/**
 * The verdict: the one thing that a grader's reply counts for. It comes as a call of the tool `verdict`, is checked, and
 * becomes the explanation that the agent and the client read. What a reply says in words decides nothing.
 */
import type { Tool } from '@anthropic-ai/sdk/resources/messages';
import { z } from 'zod';
import { clip } from './criteria.ts';

export const VERDICT = 'verdict';

const said = (max: number) => z.string().trim().min(1).max(max);
const schema = z.strictObject({
  criteria: z
    .array(z.strictObject({ criterion: said(2_000), evidence: said(8_000), met: z.boolean() }))
    .min(1)
    .max(200),
  result: z.enum(['satisfied', 'needs_revision', 'failed']),
  explanation: said(8_000),
});
export type Verdict = z.infer<typeof schema>;

/** Evidence before the judgement, the judgement before the result: the order in which it is written matters. */
export const VERDICT_TOOL: Tool = {
  name: VERDICT,
  description:
    'Give your verdict and end the evaluation. The only way to give one; call it alone. "satisfied": every criterion is met. "needs_revision": at least one is not. "failed": the rubric cannot be applied to this kind of work at all, and no revision would change that.',
  input_schema: {
    type: 'object',
    additionalProperties: false,
    required: ['criteria', 'result', 'explanation'],
    properties: {
      criteria: {
        type: 'array',
        description: 'One entry for each numbered criterion, in order. Further requirements of the rubric may follow.',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['criterion', 'evidence', 'met'],
          properties: {
            criterion: { type: 'string', description: 'Its number and words: "2. Has a title".' },
            evidence: {
              type: 'string',
              description: 'What you saw: file, line, value, output. Not what the work claims.',
            },
            met: { type: 'boolean' },
          },
        },
      },
      result: { type: 'string', enum: ['satisfied', 'needs_revision', 'failed'] },
      explanation: {
        type: 'string',
        description: 'For who did the work: what is missing and what would mend it, or why all is well.',
      },
    },
  },
};

/** @returns the verdict, or what is wrong with it. */
export function readVerdict(input: unknown, criteria: readonly string[]): Verdict | { wrong: string } {
  const read = schema.safeParse(input);
  if (!read.success) {
    const [issue] = read.error.issues;
    return { wrong: `verdict.${issue?.path.join('.') || 'input'}: ${issue?.message ?? 'not understood'}` };
  }
  const verdict = read.data;
  const unmet = verdict.criteria.filter((one) => !one.met);
  if (verdict.result === 'satisfied') {
    const first = unmet[0];
    if (first) return { wrong: `result is "satisfied", but this criterion is not met: ${clip(first.criterion, 200)}` };
    const judged = new Set(verdict.criteria.map((one) => one.criterion.toLowerCase())).size;
    if (judged < criteria.length) {
      return { wrong: `result is "satisfied", but only ${judged} of ${criteria.length} criteria were judged` };
    }
  }
  if (verdict.result === 'needs_revision' && unmet.length === 0) {
    return { wrong: 'result is "needs_revision", but every criterion is met' };
  }
  return verdict;
}

/** Characters of one criterion's words and evidence in an explanation. */
const CRITERION_CHARS = 300;
const EVIDENCE_CHARS = 1_500;

/** The verdict in words: the unmet criteria one by one, each with its evidence. */
export function explain(verdict: Verdict): string {
  const unmet = verdict.criteria.filter((one) => !one.met);
  const lines = unmet.map(
    (one) => `- Not met: ${clip(one.criterion, CRITERION_CHARS)}\n  Evidence: ${clip(one.evidence, EVIDENCE_CHARS)}`,
  );
  return [verdict.explanation, ...lines].join('\n');
}
