import Anthropic from '@anthropic-ai/sdk';
import type { Message, MessageParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';
import { afterEach, describe, expect, test } from 'vitest';
import { type Rehearsal, type RehearsalOptions, startRehearsal } from './rehearsal.ts';

let open: Rehearsal[] = [];
afterEach(async () => {
  await Promise.all(open.map((it) => it.close()));
  open = [];
});

async function play(script: RehearsalOptions['script'], options: RehearsalOptions = {}) {
  const rehearsal = await startRehearsal({ script, firstTokenMs: 0, ...options });
  open.push(rehearsal);
  const client = new Anthropic({ baseURL: rehearsal.url, apiKey: 'any', maxRetries: 0 });
  return { rehearsal, client };
}

const base = { model: 'claude-opus-5-5', max_tokens: 4_096 };
const user = (content: MessageParam['content']): MessageParam => ({ role: 'user', content });

/** Answers every call of a reply with what `run` gives, as a client would. */
function answer(
  reply: Message,
  run: (name: string, input: unknown, i: number) => string | ToolResultBlockParam,
): MessageParam[] {
  const uses = reply.content.filter((block) => block.type === 'tool_use');
  const results = uses.map((use, i) => {
    const result = run(use.name, use.input, i);
    if (typeof result !== 'string') return { ...result, tool_use_id: use.id };
    return { type: 'tool_result' as const, tool_use_id: use.id, content: result };
  });
  return [{ role: 'assistant', content: reply.content }, user(results)];
}

const words = (reply: Message) =>
  reply.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');

describe('a streamed reply', () => {
  const script = {
    rehearsal: 'stream',
    turns: [
      {
        steps: [{ thinking: 'Hm, 🙂🙂.', text: 'Grüße 👋🏽!', tools: [{ bash: 'ls' }, { read: { file_path: '/a' } }] }],
      },
    ],
  };

  test('adds up to the same message as one that is not streamed', async () => {
    const { client } = await play({ ...script, pace: { chunk_chars: 1 } });
    const params = { ...base, messages: [user('go')] };
    const streamed = await client.messages.stream(params).finalMessage();
    const whole = await client.messages.create(params);
    expect(streamed.content).toEqual(whole.content);
    expect(streamed.usage).toEqual(whole.usage);
    expect(streamed.stop_reason).toBe('tool_use');
    expect(streamed.content.map((block) => block.type)).toEqual(['thinking', 'text', 'tool_use', 'tool_use']);
    expect(streamed.id).toMatch(/^msg_rehearsal_/);
  });

  test('has the events of the real API, in their order', async () => {
    const { client } = await play(script);
    const types: string[] = [];
    for await (const event of await client.messages.create({ ...base, messages: [user('go')], stream: true }))
      types.push(event.type === 'content_block_delta' ? event.delta.type : event.type);
    expect(types.filter((type, i) => type !== types[i - 1])).toEqual([
      'message_start',
      ...['content_block_start', 'thinking_delta', 'signature_delta', 'content_block_stop'],
      ...['content_block_start', 'text_delta', 'content_block_stop'],
      ...['content_block_start', 'input_json_delta', 'content_block_stop'],
      ...['content_block_start', 'input_json_delta', 'content_block_stop'],
      'message_delta',
      'message_stop',
    ]);
  });

  test('begins after the time that was asked for, and stops when the client has gone', async () => {
    const { client } = await play(
      { ...script, pace: { chunk_ms: 50, chunk_chars: 1 } },
      { firstTokenMs: 150, chunkMs: 50 },
    );
    const from = performance.now();
    const stream = await client.messages.create({ ...base, messages: [user('go')], stream: true });
    for await (const event of stream) {
      expect(performance.now() - from).toBeGreaterThan(140);
      if (event.type === 'content_block_delta') break;
    }
    expect(performance.now() - from).toBeLessThan(1_000);
  });

  test('goes out in at most max_chunks pieces, however long it is', async () => {
    const { client } = await play({
      rehearsal: 'long',
      cut_at_max_tokens: false,
      pace: { max_chunks: 10 },
      turns: [
        {
          steps: [
            { tools: [{ write: { content: '{{user.document.1.data}}', file_path: '{{user.document.1.title}}' } }] },
          ],
        },
      ],
    });
    const data = 'a,b\n'.repeat(50_000);
    const content: MessageParam['content'] = [
      { type: 'text', text: 'write it down' },
      { type: 'document', title: 'x.csv', source: { type: 'text', media_type: 'text/plain', data } },
    ];
    let deltas = 0;
    const stream = client.messages.stream({ ...base, messages: [user(content)] });
    stream.on('inputJson', () => deltas++);
    const reply = await stream.finalMessage();
    expect(reply.content[0]).toMatchObject({ type: 'tool_use', input: { content: data, file_path: 'x.csv' } });
    expect(deltas).toBeLessThanOrEqual(10);
  });
});

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
    const ask = [...messages, user('Summarize the conversation so far.')];
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
      await client.messages.create({ ...base, messages: [...messages.slice(0, -1), user('Summarize our work.')] }),
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

test('the tool runner of the SDK drives a turn to its end', async () => {
  const { client } = await play(`
rehearsal: runner
turns:
  - steps:
      - thinking: both at once
        tools: [{ add: { a: 1, b: 2 } }, { add: { a: 3, b: 4 } }]
      - text: 'The sums are {{result.1.text}} and {{result.2.text}}.'
`);
  const runner = client.beta.messages.toolRunner({
    ...base,
    messages: [{ role: 'user', content: 'add' }],
    tools: [
      {
        name: 'add',
        description: 'adds',
        input_schema: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } },
        run: (input: unknown) => String((input as { a: number }).a + (input as { b: number }).b),
        parse: (input: unknown) => input,
      },
    ],
  });
  const last = await runner;
  expect(last.content).toMatchObject([{ type: 'text', text: 'The sums are 3 and 7.' }]);
});

test('models: a file answers for the ids that it names, others are 404', async () => {
  const { client } = await play([
    { rehearsal: 'a', models: ['claude-a', 'gpu-*'], turns: [{ steps: [{ text: 'a' }] }] },
    { rehearsal: 'b', models: ['claude-b'], turns: [{ steps: [{ text: 'b' }] }] },
  ]);
  const ask = async (model: string) => words(await client.messages.create({ ...base, model, messages: [user('x')] }));
  expect(await ask('claude-b')).toBe('b');
  expect(await ask('gpu-7')).toBe('a');
  await expect(ask('claude-c')).rejects.toThrow(Anthropic.NotFoundError);
  const listed: string[] = [];
  for await (const model of client.models.list()) listed.push(model.id);
  expect(listed).toEqual(['claude-a', 'claude-b']);
  expect((await client.models.retrieve('claude-b')).display_name).toContain('rehearsal');
});

test('requests are kept as they came, without the key', async () => {
  const { client, rehearsal } = await play({ rehearsal: 'x' });
  await client.messages.create({ ...base, system: 'be brief', messages: [user('x')] });
  const tokens = await client.messages.countTokens({ model: base.model, messages: [user('x')] });
  expect(tokens.input_tokens).toBeGreaterThan(0);
  expect(rehearsal.requests.map((it) => it.endpoint)).toEqual(['POST /v1/messages', 'POST /v1/messages/count_tokens']);
  expect(rehearsal.requests[0]?.body.system).toBe('be brief');
  expect(JSON.stringify(rehearsal.requests[0]?.headers)).not.toContain('Bearer');
});

test('what the script has no words for is answered by a fallback that says it is a rehearsal', async () => {
  const { client } = await play({ rehearsal: 'x' });
  expect(words(await client.messages.create({ ...base, messages: [user('x')] }))).toMatch(
    /This is a rehearsal, not a model/,
  );
});
