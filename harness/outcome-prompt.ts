/** What the agent is told of the outcome that it works towards, and of the grader's verdicts. */
import type { EventOf } from '../events/wire.ts';

/** The open outcome of a conversation. */
export interface Goal {
  text: string;
  /** It stands in the messages. */
  said: boolean;
}

export function goalMessage({ description, rubric }: EventOf<'user.define_outcome'>): string {
  const words = rubric.type === 'text' ? rubric.content : `(the file ${rubric.file_id})`;
  return `[Outcome]
Work until this is reached:

${description}

It will be judged by this rubric:

${words}

When you end your turn, an independent grader judges what you have made: the files that you leave, those handed in first of all, and your closing message. It does not see how you got there. If a criterion is not met, you are told what is missing and go on.`;
}

/** @returns undefined where there is nothing to say. */
export function verdictMessage({
  result,
  explanation,
}: Pick<EventOf<'span.outcome_evaluation_end'>, 'result' | 'explanation'>): string | undefined {
  switch (result) {
    case 'needs_revision':
      return `[Grader]\nThe outcome is not reached yet.\n\n${explanation}\n\nRevise the work so that every criterion is met, then end your turn.`;
    case 'max_iterations_reached':
      return `[Grader]\nThe outcome was not reached, and there will be no further evaluation.\n\n${explanation}\n\nSay briefly what is done and what is still missing.`;
    case 'satisfied':
      return '[Grader]\nThe outcome is reached: every criterion is met.';
    case 'failed':
      return `[Grader]\nThe evaluation has ended without success.\n\n${explanation}`;
    default:
      return undefined;
  }
}
