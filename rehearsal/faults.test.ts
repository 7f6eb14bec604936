import Anthropic from '@anthropic-ai/sdk';
import type { ContentBlockParam, MessageParam } from '@anthropic-ai/sdk/resources/messages';
import { afterEach, describe, expect, test } from 'vitest';
import { type Rehearsal, startRehearsal } from './rehearsal.ts';

let rehearsal: Rehearsal;
afterEach(() => rehearsal.close());

async function client(steps: string, maxRetries = 0): Promise<Anthropic> {
  rehearsal = await startRehearsal({
    script: `rehearsal: faults\nturns:\n  - steps:\n${steps.replaceAll(/^/gm, '      ')}`,
    firstTokenMs: 0,
  });
  return new Anthropic({ baseURL: rehearsal.url, apiKey: 'any', maxRetries });
}

const base = {
  model: 'claude-opus-5-5',
  max_tokens: 1_000,
  messages: [{ role: 'user', content: 'go' }] as MessageParam[],
};

describe('errors before an answer', () => {
  test.each([
    [400, Anthropic.BadRequestError, 'invalid_request_error'],
    [401, Anthropic.AuthenticationError, 'authentication_error'],
    [403, Anthropic.PermissionDeniedError, 'permission_error'],
    [404, Anthropic.NotFoundError, 'not_found_error'],
    [413, Anthropic.APIError, 'request_too_large'],
    [429, Anthropic.RateLimitError, 'rate_limit_error'],
    [500, Anthropic.InternalServerError, 'api_error'],
    [529, Anthropic.InternalServerError, 'overloaded_error'],
  ])('%i reaches the client as its own kind of error', async (status, kind, type) => {
    const anthropic = await client(`- { text: hi, fail: { status: ${status}, message: as rehearsed } }`);
    const error = await anthropic.messages.create(base).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ status, type, error: { type: 'error', error: { message: 'as rehearsed' } } });
    expect((error as { requestID: string }).requestID).toMatch(/^req_rehearsal_/);
  });

  test('are met so often as the script says, then the answer comes; other conversations are not affected', async () => {
    const anthropic = await client(`- text: made it
  fail: [{ status: 529, times: 2 }, { status: 429, retry_after: 0 }]`);
    const statuses: unknown[] = [];
    for (let i = 0; i < 4; i++)
      statuses.push(
        await anthropic.messages.create({ ...base, stream: i % 2 === 0 }).then(
          () => 'ok',
          (error) => error.status,
        ),
      );
    expect(statuses).toEqual([529, 529, 429, 'ok']);
    const other = { ...base, metadata: { user_id: 'another' } };
    await expect(anthropic.messages.create(other)).rejects.toThrow('529');
  });

  test('retry-after is honoured by an unmodified client', async () => {
    const anthropic = await client('- { text: made it, fail: { status: 429, retry_after: 0.3 } }', 1);
    const from = performance.now();
    const reply = await anthropic.messages.create(base);
    expect(reply.content).toMatchObject([{ text: 'made it' }]);
    expect(performance.now() - from).toBeGreaterThan(290);
    expect(rehearsal.requests.map((it) => it.headers['x-stainless-retry-count'])).toEqual(['0', '1']);
  });

  test('"always" never lets an answer through', async () => {
    const anthropic = await client('- { text: no, fail: { status: 500, times: always } }');
    for (let i = 0; i < 3; i++) await expect(anthropic.messages.create(base)).rejects.toThrow('500');
  });

  test.each(['', ', after_chunks: 0'])('a stall%s only delays an answer that is not streamed', async (where) => {
    const anthropic = await client(`- { text: late, fail: { stall_ms: 150${where} } }`);
    const from = performance.now();
    expect((await anthropic.messages.create(base)).content).toMatchObject([{ text: 'late' }]);
    expect(performance.now() - from).toBeGreaterThan(140);
    expect(performance.now() - from).toBeLessThan(290);
  });

  test('a dropped connection is a connection error', async () => {
    const anthropic = await client('- { text: no, fail: { drop: true } }');
    await expect(anthropic.messages.create(base)).rejects.toThrow(Anthropic.APIConnectionError);
  });
});

describe('errors in the middle of a stream', () => {
  const words = 'one two three four five six seven eight nine ten eleven twelve';

  test('an error event ends it, after what was said so far', async () => {
    const anthropic = await client(
      `- { text: ${words}, pace: { chunk_chars: 8 }, fail: { status: 529, after_chunks: 2 } }`,
    );
    let heard = '';
    const stream = anthropic.messages.stream(base).on('text', (text) => {
      heard += text;
    });
    await expect(stream.finalMessage()).rejects.toMatchObject({ type: 'overloaded_error' });
    expect(heard).toBe(words.slice(0, 16));
    expect((await anthropic.messages.create(base)).content).toMatchObject([{ text: words }]);
  });

  test('a cut connection ends it without a message_stop', async () => {
    const anthropic = await client(
      `- { text: ${words}, pace: { chunk_chars: 8 }, fail: { drop: true, after_chunks: 1 } }`,
    );
    await expect(anthropic.messages.stream(base).finalMessage()).rejects.toThrow(Anthropic.AnthropicError);
  });

  test('a stall only takes time', async () => {
    const anthropic = await client(
      `- { text: ${words}, pace: { chunk_chars: 8 }, fail: { stall_ms: 200, after_chunks: 1 } }`,
    );
    const from = performance.now();
    expect(await anthropic.messages.stream(base).finalText()).toBe(words);
    expect(performance.now() - from).toBeGreaterThan(190);
  });
});

describe('stop reasons', () => {
  test.each(['end_turn', 'max_tokens', 'pause_turn', 'refusal', 'model_context_window_exceeded', 'something_new'])(
    '%s is sent as the script has it, streamed or not',
    async (stop) => {
      const anthropic = await client(
        `- { text: so far, stop: ${stop}, stop_details: { category: cyber, explanation: no } }`,
      );
      const whole = await anthropic.messages.create(base);
      const streamed = await anthropic.messages.stream(base).finalMessage();
      const details = stop === 'refusal' ? { type: 'refusal', category: 'cyber', explanation: 'no' } : null;
      for (const reply of [whole, streamed]) expect(reply).toMatchObject({ stop_reason: stop, stop_details: details });
    },
  );

  test('max_tokens of the request cuts a reply off where its tokens end', async () => {
    const anthropic = await client(`- { text: ${'word '.repeat(100)}, tools: [{ bash: ls }] }`);
    const reply = await anthropic.messages.create({ ...base, max_tokens: 10 });
    expect(reply).toMatchObject({ stop_reason: 'max_tokens', usage: { output_tokens: 10 } });
    expect(reply.content).toEqual([{ type: 'text', text: 'word '.repeat(8), citations: null }]);
  });

  test('a tool call can be cut off in the middle of its JSON', async () => {
    const anthropic = await client(
      '- { tools: [{ bash: ls }, { bash: rm -rf everything }], stop: max_tokens, cut_after_chars: 15 }',
    );
    const events: string[] = [];
    for await (const event of await anthropic.messages.create({ ...base, stream: true }))
      if (event.type === 'content_block_delta' && event.delta.type === 'input_json_delta' && event.index === 1)
        events.push(event.delta.partial_json);
    expect(events.join('')).toBe('{"command":"rm ');
  });

  test('stop_sequence ends the text in front of the sequence', async () => {
    const anthropic = await client('- { text: one two three }');
    const reply = await anthropic.messages.create({ ...base, stop_sequences: ['three', 'two'] });
    expect(reply).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: 'two', content: [{ text: 'one ' }] });
  });

  test('a paused turn goes on when its reply is sent back as it is', async () => {
    const anthropic = await client('- { text: first half, stop: pause_turn }\n- { text: second half }');
    const first = await anthropic.messages.create(base);
    const messages: MessageParam[] = [...base.messages, { role: 'assistant', content: first.content }];
    const second = await anthropic.messages.create({ ...base, messages });
    expect(second).toMatchObject({ stop_reason: 'end_turn', content: [{ text: 'second half' }] });
    messages.push({ role: 'assistant', content: second.content });
    await expect(anthropic.messages.create({ ...base, messages })).rejects.toThrow('prefill');
  });

  test('a paused reply and its continuation may come back as one message', async () => {
    const anthropic = await client(
      '- { text: one, thinking: hm, stop: pause_turn }\n- { text: two, stop: pause_turn }\n- { tools: [{ bash: ls }] }\n- { text: four }',
    );
    const content: ContentBlockParam[] = [];
    const ask = (...more: MessageParam[]) =>
      anthropic.messages.create({ ...base, messages: [...base.messages, { role: 'assistant', content }, ...more] });
    content.push(...(await anthropic.messages.create(base)).content);
    content.push(...(await ask()).content);
    const third = await ask();
    expect(third.content).toMatchObject([{ type: 'tool_use' }]);
    content.push(...third.content);
    const id = third.content[0]?.type === 'tool_use' ? third.content[0].id : '';
    const last = await ask({ role: 'user', content: [{ type: 'tool_result', tool_use_id: id }] });
    expect(last.content).toMatchObject([{ text: 'four' }]);
  });
});
