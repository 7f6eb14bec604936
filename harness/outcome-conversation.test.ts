/** What the agent sees of its outcome. */
import { expect, test } from 'vitest';
import type { LogEntry } from '../events/entry.ts';
import type { SessionEvent } from '../events/wire.ts';
import { emptyConversation, providerMessages, take } from './conversation.ts';

const AT = '2026-01-01T00:00:00.000Z';

function converse(...events: Record<string, unknown>[]) {
  const conversation = emptyConversation();
  events.forEach((event, seq) => {
    const { summary, ...rest } = event;
    const whole = { id: `e${seq}`, processed_at: AT, ...rest } as SessionEvent;
    const entry = { thread: 't', seq, event: whole, ...(summary ? { private: { summary } } : {}) };
    take(conversation, entry as LogEntry);
  });
  return providerMessages(conversation).map(({ role, content }) => [role, JSON.stringify(content)] as const);
}

const define = {
  type: 'user.define_outcome',
  description: 'THE GOAL',
  rubric: { type: 'text', content: 'THE RUBRIC' },
};
const request = { type: 'span.model_request_start' };
const replied = (text: string) => ({ type: 'agent.message', content: [{ type: 'text', text }] });
const graded = (result: string) => ({ type: 'span.outcome_evaluation_end', result, explanation: 'THE FINDING' });

test('goal and rubric are shown in the first request after the definition', () => {
  const [first, ...more] = converse(define, request);
  expect(more).toEqual([]);
  expect(first?.[1]).toMatch(/THE GOAL.*THE RUBRIC/);
});

test('a definition in the middle of a request comes after the reply to it', () => {
  const messages = converse(request, define, replied('of before'), request);
  expect(messages.map(([role]) => role)).toEqual(['assistant', 'user']);
});

test('a finding is shown with what is to be done about it; it stands in the log and nowhere else', () => {
  const messages = converse(define, request, replied('done'), graded('needs_revision'), request);
  expect(messages.map(([role]) => role)).toEqual(['user', 'assistant', 'user']);
  expect(messages[2]?.[1]).toMatch(/THE FINDING.*Revise/);
});

test.each([
  ['max_iterations_reached', /THE FINDING.*still missing/],
  ['satisfied', /is reached/],
  ['failed', /without success.*THE FINDING/],
])('the end "%s" is told', (result, words) => {
  expect(converse(define, request, replied('done'), graded(result)).at(-1)?.[1]).toMatch(words);
});

test('the goal outlives a summary while it is open, word for word and once', () => {
  const compacted = { type: 'agent.thread_context_compacted', summary: 'So far: little.' };
  const open = converse(define, request, replied('done'), graded('needs_revision'), request, compacted);
  expect(open[0]?.[1].split('THE GOAL')).toHaveLength(2);
  const unanswered = converse(define, request, compacted);
  expect(unanswered[0]?.[1].split('THE GOAL')).toHaveLength(2);
  const over = converse(define, request, replied('done'), graded('satisfied'), request, compacted);
  expect(over[0]?.[1]).not.toContain('THE GOAL');
});
