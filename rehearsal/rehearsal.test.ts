import Anthropic from '@anthropic-ai/sdk';
import type { MessageParam } from '@anthropic-ai/sdk/resources/messages';
import { describe, expect, test } from 'vitest';
import { base, play, user, words } from './test-support.ts';

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
