import type { MessageParam } from '@anthropic-ai/sdk/resources/messages';
import { describe, expect, test } from 'vitest';
import { answer, base, play, user, words } from './test-support.ts';

describe('the next line', () => {
  test('follows from the results, and can quote them', async () => {
    const { client } = await play(`
rehearsal: conditions
turns:
  - steps:
      - tools: [{ bash: 'make', as: make }, { bash: 'echo {{call}}', times: 2, as: echo }]
      - when: { error: true }
        text: 'It failed: {{calls.make.text | match /error: (.*)/}}'
      - text: 'It worked: {{result.3.text}} {{calls.echo.2.text}} {{calls.make.text | line -1 | trim}} {{result.9.text | default "none"}}'
`);
    const messages = [user('build')];
    const first = await client.messages.create({ ...base, messages });
    const good = answer(first, (_, __, i) => `one\nout ${i}\n`);
    expect(words(await client.messages.create({ ...base, messages: [...messages, ...good] }))).toBe(
      'It worked: out 2\n'.replace('out 2\n', 'one\nout 2\n one\nout 2\n out 0 none'),
    );
    const bad = answer(first, () => ({
      type: 'tool_result',
      tool_use_id: '',
      is_error: true,
      content: 'error: no rule',
    }));
    expect(words(await client.messages.create({ ...base, messages: [...messages, ...bad] }))).toBe(
      'It failed: no rule',
    );
  });

  test('is chosen by what the user says, the latest words first, else in order', async () => {
    const { client } = await play(`
rehearsal: turns
turns:
  - when: /\\bhelp\\b/i
    steps: [{ text: helped }]
  - repeat: 2
    steps: [{ text: 'ordered {{turn}}' }]
  - steps: [{ text: last }]
fallback: { text: nothing left }
`);
    const messages: MessageParam[] = [];
    const said: string[] = [];
    for (const text of ['one', 'HELP me', 'two', 'three', 'four', 'please help']) {
      messages.push(user(text));
      const reply = await client.messages.create({ ...base, messages });
      messages.push({ role: 'assistant', content: reply.content });
      said.push(words(reply));
    }
    expect(said).toEqual(['ordered 1', 'helped', 'ordered 3', 'last', 'nothing left', 'helped']);
    const folded = [user('hello'), user('help')];
    expect(words(await client.messages.create({ ...base, messages: folded }))).toBe('helped');
  });

  test('counts the rounds of a loop, and leaves it when its until comes true', async () => {
    const { client } = await play(`
rehearsal: loops
turns:
  - steps:
      - repeat: 3
        steps:
          - tools: [{ bash: 'a{{round}}' }]
          - tools: [{ bash: 'b{{round}}' }]
      - repeat: 50
        until: ready
        tools: [{ bash: 'poll {{round}}' }]
      - text: 'done after {{step}} replies'
`);
    const commands: string[] = [];
    const messages = [user('go')];
    for (;;) {
      const reply = await client.messages.create({ ...base, messages });
      if (reply.stop_reason !== 'tool_use') {
        expect(words(reply)).toBe('done after 11 replies');
        break;
      }
      messages.push(
        ...answer(reply, (_, input) => {
          const { command } = input as { command: string };
          commands.push(command);
          return command === 'poll 4' ? 'READY' : 'wait';
        }),
      );
    }
    expect(commands).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'poll 1', 'poll 2', 'poll 3', 'poll 4']);
  });

  test('plays 800 tool rounds of one turn, each found from the conversation alone', async () => {
    const { client } = await play({
      rehearsal: 'long',
      turns: [{ steps: [{ repeat: 800, tools: [{ bash: 'n {{round}}' }] }, { text: 'end' }] }],
    });
    const messages = [user('go')];
    let rounds = 0;
    for (;;) {
      const reply = await client.messages.create({ ...base, messages });
      if (reply.stop_reason !== 'tool_use') break;
      expect(reply.content).toMatchObject([{ input: { command: `n ${++rounds}` } }]);
      messages.push(...answer(reply, () => 'ok'));
    }
    expect(rounds).toBe(800);
    expect(
      new Set(
        messages
          .flatMap((it) => (typeof it.content === 'string' ? [] : it.content))
          .flatMap((it) => (it.type === 'tool_use' ? [it.id] : [])),
      ).size,
    ).toBe(800);
  }, 60_000);

  test('goes on behind a summary, from the bookmark that the summary carries', async () => {
    const { client } = await play(`
rehearsal: compaction
turns:
  - steps:
      - repeat: 5
        thinking: 'round {{round}}'
        tools: [{ bash: 'n {{round}}' }]
      - text: all five
  - steps: [{ text: second turn }]
summary: { text: 'I had come to round {{round}}.' }
`);
    let messages = [user('go')];
    for (let i = 0; i < 3; i++)
      messages.push(...answer(await client.messages.create({ ...base, messages }), () => 'ok'));
    const wish = 'The conversation has nearly filled the context window. Write a summary that will take its place.';
    const last3 = messages.at(-1)?.content;
    const behindResults = [...(Array.isArray(last3) ? last3 : []), { type: 'text' as const, text: wish }];
    const ask = [...messages.slice(0, -1), user(behindResults)];
    const summary = words(await client.messages.create({ ...base, messages: ask }));
    expect(summary).toContain('[rehearsal bookmark: turn 0 line 3 ordered 1]');
    messages = [user(`<summary>${summary}</summary>`)];
    for (const expected of ['n 4', 'n 5']) {
      const reply = await client.messages.create({ ...base, messages });
      expect(reply.content.at(-1)).toMatchObject({ input: { command: expected } });
      messages.push(...answer(reply, () => 'ok'));
    }
    const last = await client.messages.create({ ...base, messages });
    expect(words(last)).toBe('all five');
    messages.push({ role: 'assistant', content: last.content }, user('and now?'));
    expect(words(await client.messages.create({ ...base, messages }))).toBe('second turn');
    const closed = words(
      await client.messages.create({
        ...base,
        messages: [...messages.slice(0, -1), user('Summarize our conversation.')],
      }),
    );
    const after = [user(closed), user('and now?')];
    expect(words(await client.messages.create({ ...base, messages: after }))).toBe('second turn');
  });

  test('a value that the conversation lacks is a 400 that names the step', async () => {
    const { client } = await play({ rehearsal: 'x', turns: [{ steps: [{ text: '{{user.document.1.data}}' }] }] });
    await expect(client.messages.create({ ...base, messages: [user('hi')] })).rejects.toThrow(
      'rehearsal: turns.0.steps.0: the conversation holds no value for {{user.document.1.data}}',
    );
  });
});
