import type { Message } from '@anthropic-ai/sdk/resources/messages';
import { describe, expect, test } from 'vitest';
import { splitRubric } from './criteria.ts';
import { type GradingTask, graderRequest, readGraderReply } from './grader.ts';
import type { ModelSpec } from './model-spec.ts';

describe('a rubric', () => {
  test.each([
    ['a list', '- has a title\n- has an end', ['has a title', 'has an end']],
    ['a numbered list among words', '# Rubric\n\nBe strict.\n1. one\n2) two\n\nThanks.', ['one', 'two']],
    ['nested items, which belong to the one above', '* a\n    * detail\n* b', ['a', 'b']],
    ['boxes to tick', '- [ ] a\n- [x] b', ['a', 'b']],
    ['an indented list', '   - a\n   - b', ['a', 'b']],
    ['code that looks like a list', '- a\n```\n- not one\n```\n- b', ['a', 'b']],
    ['plain words', 'It must be good.', ['The rubric as a whole.']],
    ['a dash within a line', 'good - better - best', ['The rubric as a whole.']],
  ])('of %s is split into its criteria', (_name, rubric, criteria) => {
    expect(splitRubric(rubric)).toEqual(criteria);
  });

  test('without end is still split in no time', () => {
    const began = performance.now();
    expect(splitRubric(`${' '.repeat(262_000)}x`)).toHaveLength(1);
    expect(splitRubric('- a\n'.repeat(65_000))).toHaveLength(100);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

const MODEL: ModelSpec = {
  ...{ id: 'm', upstream: 'm', window: 200_000, maxOutput: 64_000, efforts: [] },
  ...{ thinking: 'adaptive', fast: false, systemMessages: false },
};
const TASK: GradingTask = { description: 'd', rubric: '- a\n- b', reply: '', deliverables: [], tools: true };

function reply(content: object[], stop_reason: string = 'tool_use'): Message {
  return { role: 'assistant', content, stop_reason } as unknown as Message;
}
const use = (name: string, input: object = {}) => ({ type: 'tool_use', id: `t_${name}`, name, input });
const criteria = (...met: boolean[]) => met.map((one, i) => ({ criterion: `${i + 1}`, evidence: 'e', met: one }));

describe('a request', () => {
  test('forces a call and has no thinking, which providers do not take together', () => {
    const body = graderRequest({ task: TASK, model: MODEL, since: [], last: false });
    expect(body).toMatchObject({ tool_choice: { type: 'any' }, thinking: { type: 'disabled' } });
  });

  test.each([
    ['when the rounds are used up', { last: true }],
    ['when there is nothing to look at', { task: { ...TASK, tools: false } }],
    ['when the window is filling', { model: { ...MODEL, window: 100 } }],
  ])('forces the verdict %s', (_name, more) => {
    const body = graderRequest({ task: TASK, model: MODEL, since: [], last: false, ...more });
    expect(body.tool_choice).toEqual({ type: 'tool', name: 'verdict' });
  });
});

describe('a reply', () => {
  const ok = { criteria: criteria(true, true), result: 'satisfied', explanation: 'fine' };
  test('with one valid verdict is a verdict', () => {
    expect(readGraderReply(reply([use('verdict', ok)]), TASK, false)).toEqual({
      ...{ kind: 'verdict', result: 'satisfied', explanation: 'fine' },
    });
  });

  test('names each unmet criterion with its evidence', () => {
    const poor = { criteria: criteria(false, true), result: 'needs_revision', explanation: 'not yet' };
    expect(readGraderReply(reply([use('verdict', poor)]), TASK, false)).toMatchObject({
      explanation: 'not yet\n- Not met: 1\n  Evidence: e',
    });
  });

  test.each<[string, object[], string, string?]>([
    ['words alone', [{ type: 'text', text: 'satisfied' }], 'called no tool'],
    ['a verdict beside another call', [use('verdict', ok), use('bash', { command: 'ls' })], 'together'],
    ['a verdict that was cut off', [use('verdict', ok)], 'cut off', 'max_tokens'],
    ['a refusal', [], 'refused', 'refusal'],
    ['a tool that it does not have', [use('write', {})], 'no tool "write"'],
    ['satisfied against its own finding', [use('verdict', { ...ok, criteria: criteria(true, false) })], 'not met'],
    ['satisfied by half', [use('verdict', { ...ok, criteria: criteria(true) })], 'only 1 of 2'],
    ['a need for revision without a reason', [use('verdict', { ...ok, result: 'needs_revision' })], 'every criterion'],
    ['a further member', [use('verdict', { ...ok, score: 10 })], 'verdict'],
    ['a result of its own', [use('verdict', { ...ok, result: 'good' })], 'verdict.result'],
    ['no input', [use('verdict', {})], 'verdict.'],
  ])('of %s is not valid, and says why', (_name, content, why, stop) => {
    const read = readGraderReply(reply(content, stop), TASK, false);
    expect(read).toMatchObject({ kind: 'invalid', why: expect.stringContaining(why) });
  });

  test('that wants to look around when only a verdict will do is not valid', () => {
    expect(readGraderReply(reply([use('bash', { command: 'ls' })]), TASK, true)).toMatchObject({ kind: 'invalid' });
  });
});
