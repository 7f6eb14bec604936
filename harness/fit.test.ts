import type { MessageParam } from '@anthropic-ai/sdk/resources/messages';
import { describe, expect, test } from 'vitest';
import { estimateTokens, fitMessages } from './fit.ts';

const user = (text: string): MessageParam => ({ role: 'user', content: [{ type: 'text', text }] });
const round = (n: number, text: string): MessageParam[] => [
  { role: 'assistant', content: [{ type: 'tool_use', id: `t${n}`, name: 'bash', input: { command: text } }] },
  { role: 'user', content: [{ type: 'tool_result', tool_use_id: `t${n}`, content: [{ type: 'text', text }] }] },
];
const size = (messages: MessageParam[]) => messages.reduce((sum, one) => sum + estimateTokens(one), 0);

describe('messages that are made to fit', () => {
  test('stay as they are while there is room', () => {
    const messages = [user('task'), ...round(1, 'x')];
    expect(fitMessages(messages, 1_000)).toEqual(messages);
  });

  test('lose the middle of long texts, the oldest first', () => {
    const [first, , , last] = fitMessages([user('a'.repeat(9_000)), ...round(1, 'x'), user('b'.repeat(9_000))], 4_500);
    expect(JSON.stringify(first)).toContain('shortened');
    expect(last).toEqual(user('b'.repeat(9_000)));
  });

  test('count a Chinese character as a token, not as a third of one', () => {
    expect(estimateTokens('漢'.repeat(3_000))).toBeGreaterThan(2_900);
    expect(estimateTokens('a'.repeat(3_000))).toBeLessThan(1_100);
    const fitted = fitMessages([user('漢'.repeat(3_000)), ...round(1, 'x')], 2_000);
    expect(size(fitted)).toBeLessThan(2_000);
  });

  test('are never cut within a character', () => {
    const fitted = JSON.stringify(fitMessages([user(`a${'😀'.repeat(5_000)}`), ...round(1, 'x')], 1_500));
    expect(fitted).not.toMatch(/\\ud[89a-f]/i);
  });

  test('lose their oldest rounds when many short ones are too much; the task and the newest round stay', () => {
    const rounds = Array.from({ length: 500 }, (_, n) => round(n, `${n} ${'y'.repeat(300)}`)).flat();
    const fitted = fitMessages([user('the task'), ...rounds], 5_000);
    expect(size(fitted)).toBeLessThan(5_100);
    expect(JSON.stringify(fitted[0])).toContain('the task');
    expect(JSON.stringify(fitted[0])).toContain('left out');
    expect(fitted.slice(-2)).toEqual(rounds.slice(-2));
    const uses = JSON.stringify(fitted)
      .match(/"id":"t\d+"/g)
      ?.map((one) => one.slice(6, -1));
    const results = JSON.stringify(fitted)
      .match(/"tool_use_id":"t\d+"/g)
      ?.map((one) => one.slice(15, -1));
    expect(uses).toEqual(results);
  });

  test('keep the newest reply even when it alone is too much: what it called must have its results', () => {
    const messages = [user('task'), ...round(1, 'x'.repeat(1_900))];
    expect(fitMessages(messages, 10).map((one) => one.role)).toEqual(['user', 'assistant', 'user']);
  });
});
