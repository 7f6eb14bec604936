import { describe, expect, test } from 'vitest';
import type { LogEntry, PrivatePart } from '../events/entry.ts';
import type { SessionEvent } from '../events/wire.ts';
import { emptyConversation, providerMessages, take } from './conversation.ts';

const AT = '2026-01-01T00:00:00.000Z';

/** A conversation from events; a number stands for "the event at this seq is processed". */
function converse(...items: (number | Record<string, unknown> | [Record<string, unknown>, PrivatePart])[]) {
  const conversation = emptyConversation();
  items.forEach((item, seq) => {
    const base = { thread: 't', seq };
    const entry =
      typeof item === 'number'
        ? { ...base, of: item, processed_at: AT }
        : Array.isArray(item)
          ? { ...base, event: { id: `e${seq}`, processed_at: AT, ...item[0] } as SessionEvent, private: item[1] }
          : { ...base, event: { id: `e${seq}`, processed_at: AT, ...item } as SessionEvent };
    take(conversation, entry as LogEntry);
  });
  return providerMessages(conversation);
}

const text = (value: string) => [{ type: 'text', text: value }];
const said = (value: string) => ({ type: 'user.message', content: text(value), processed_at: null });
const replied = (value: string) => ({ type: 'agent.message', content: text(value) });
const used = (id: string, name = 'bash'): [Record<string, unknown>, PrivatePart] => [
  { type: 'agent.tool_use', id, name, input: { command: 'ls' } },
  { provider_tool_use_id: `toolu_${id}` },
];
const result = (id: string, value: string) => ({ type: 'agent.tool_result', tool_use_id: id, content: text(value) });

describe('the messages that a model sees', () => {
  test('hold a queued message where its turn took it in, not where it arrived', () => {
    const messages = converse(said('one'), 0, said('two'), replied('first'), 2);
    expect(messages.map((message) => [message.role, JSON.stringify(message.content)])).toEqual([
      ['user', JSON.stringify(text('one'))],
      ['assistant', JSON.stringify(text('first'))],
      ['user', JSON.stringify(text('two'))],
    ]);
  });

  test('do not hold a message that no turn has taken in', () => {
    expect(converse(said('one'))).toEqual([]);
  });

  test('pair every tool use with its result under the provider’s own ids, in the order of the uses', () => {
    const messages = converse(said('go'), 0, used('a'), used('b'), result('b', 'B'), result('a', 'A'));
    expect(messages.at(-1)).toMatchObject({
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 'toolu_a', content: text('A') },
        { type: 'tool_result', tool_use_id: 'toolu_b', content: text('B') },
      ],
    });
  });

  test('give a use without a result an error in its place', () => {
    const messages = converse(said('go'), 0, used('a'), said('well?'), 3);
    expect(messages.at(-1)).toMatchObject({
      content: [{ type: 'tool_result', tool_use_id: 'toolu_a', is_error: true }, { type: 'text' }],
    });
  });

  test('give thinking back with its signature', () => {
    const block = { type: 'thinking', thinking: 'hm', signature: 'sig' };
    const messages = converse(said('go'), 0, [{ type: 'agent.thinking' }, { block }], replied('done'));
    expect(messages.at(-1)).toEqual({ role: 'assistant', content: [block, ...text('done')] });
  });

  test('say where the user interrupted, and only if something was interrupted', () => {
    const interrupt = { type: 'user.interrupt', processed_at: null };
    const working = converse(said('go'), { type: 'session.status_running' }, 0, replied('half'), interrupt, 4);
    expect(JSON.stringify(working.at(-1))).toContain('interrupted');
    expect(converse(interrupt, 0)).toEqual([]);
  });

  test('hold no blank texts, which providers refuse, and still show that someone spoke', () => {
    const messages = converse(said(' \n'), 0, used('a'), result('a', ''));
    expect(messages[0]).toEqual({ role: 'user', content: text('(blank message)') });
    expect(messages.at(-1)).toEqual({ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_a' }] });
  });

  test('leave out a reply that was nothing but thinking, which providers refuse later on', () => {
    const block = { type: 'thinking', thinking: 'hm', signature: 'sig' };
    const messages = converse(said('one'), 0, [{ type: 'agent.thinking' }, { block }], said('two'), 3);
    expect(messages).toEqual([{ role: 'user', content: [...text('one'), ...text('two')] }]);
  });

  test('put a system message after the user message that follows it', () => {
    const system = { type: 'system.message', content: text('be brief'), processed_at: null };
    const messages = converse(said('one'), 0, replied('yes'), system, said('two'), 3, 4);
    expect(messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user', 'system']);
  });

  test('keep what the operator has just said through a compaction, behind what the user said', () => {
    const system = { type: 'system.message', content: text('be brief'), processed_at: null };
    const messages = converse(said('old'), 0, replied('old answer'), said('new question'), system, 3, 4, [
      { type: 'agent.thread_context_compacted' },
      { summary: 'They said old things.' },
    ]);
    expect(messages.map((message) => message.role)).toEqual(['user', 'system']);
    expect(JSON.stringify(messages[0])).toContain('new question');
    expect(JSON.stringify(messages[1])).toContain('be brief');
  });

  test('hold long words of the user in short once even a summary has not made room for them', () => {
    const long = 'y'.repeat(50_000);
    const summary = (words: string): [Record<string, unknown>, PrivatePart] => [
      { type: 'agent.thread_context_compacted' },
      { summary: words },
    ];
    const once = converse(said(long), 0, summary('First.'));
    expect(JSON.stringify(once)).toContain(long);
    const twice = JSON.stringify(converse(said(long), 0, summary('First.'), said('shorter'), 3, summary('Second.')));
    expect(twice.length).toBeLessThan(4_000);
    expect(twice).toContain('Second.');
    expect(twice).not.toContain('First.');
    expect(twice).toContain('shorter');
    const answered = converse(said('old'), 0, summary('First.'), replied('yes'), said(long), 4, summary('Second.'));
    expect(JSON.stringify(answered)).toContain(long);
  });

  test('hold a system message that came with a tool result right behind the result', () => {
    const system = { type: 'system.message', content: text('be brief'), processed_at: null };
    const messages = converse(said('go'), 0, used('a'), used('b'), result('a', 'A'), system, result('b', 'B'), 5);
    expect(messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user', 'system']);
    expect(JSON.stringify(messages[2])).not.toContain('not recorded');
  });

  test('begin anew with the summary after a compaction, and keep what the user has just said', () => {
    const messages = converse(said('old'), 0, replied('old answer'), said('new question'), 3, [
      { type: 'agent.thread_context_compacted' },
      { summary: 'They said old things.' },
    ]);
    expect(messages).toHaveLength(1);
    expect(JSON.stringify(messages[0])).toContain('They said old things.');
    expect(JSON.stringify(messages[0])).toContain('new question');
    expect(JSON.stringify(messages[0])).not.toContain('old answer');
  });
});
