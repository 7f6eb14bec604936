import Anthropic from '@anthropic-ai/sdk';
import type {
  ContentBlockParam,
  MessageCreateParamsNonStreaming,
  MessageParam,
} from '@anthropic-ai/sdk/resources/messages';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Rehearsal, startRehearsal } from './rehearsal.ts';

let rehearsal: Rehearsal;
let client: Anthropic;
let replied: ContentBlockParam[];

const base = { model: 'claude-opus-5-5', max_tokens: 1_000 };
const go: MessageParam = { role: 'user', content: 'go' };
const results = (...ids: string[]): ContentBlockParam[] =>
  ids.map((id) => ({ type: 'tool_result', tool_use_id: id, content: 'ok' }));

beforeAll(async () => {
  rehearsal = await startRehearsal({
    firstTokenMs: 0,
    script: `
rehearsal: checks
context_window: 20000
turns:
  - steps:
      - blocks:
          - thinking: first thought
          - redacted_thinking: hidden
          - tool: { bash: a }
          - thinking: second thought
          - tool: { bash: b }
      - text: done
  - repeat: 10
    steps: [{ text: later }]
`,
  });
  client = new Anthropic({ baseURL: rehearsal.url, apiKey: 'any', maxRetries: 0 });
  replied = (await client.messages.create({ ...base, messages: [go] })).content;
});
afterAll(() => rehearsal.close());

/** Sends anything at all, typed or not. */
async function ask(body: object): Promise<string> {
  return client.messages.create({ ...base, ...body } as MessageCreateParamsNonStreaming).then(
    (reply) => reply.stop_reason ?? '',
    (error: unknown) => {
      const { status, error: answer } = error as {
        status: number;
        error: { error: { type: string; message: string } };
      };
      expect([status, answer.error.type]).toEqual([400, 'invalid_request_error']);
      return answer.error.message;
    },
  );
}

const uses = () => replied.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
const answered = (blocks: ContentBlockParam[], answer: ContentBlockParam[] = results(...uses())) => ({
  messages: [go, { role: 'assistant', content: blocks }, { role: 'user', content: answer }],
});

describe('what comes back must be what was said', () => {
  test('a reply that is intact is accepted', async () => {
    expect(await ask(answered(replied))).toBe('end_turn');
    expect(replied.map((block) => block.type)).toEqual([
      'thinking',
      'redacted_thinking',
      'tool_use',
      'thinking',
      'tool_use',
    ]);
  });

  test.each<[string, (blocks: ContentBlockParam[]) => ContentBlockParam[], RegExp]>([
    [
      'changed thinking',
      (it) => it.map((block) => (block.type === 'thinking' ? { ...block, thinking: 'other' } : block)),
      /messages\.1\.content\.0: Invalid `signature` in `thinking` block/,
    ],
    [
      'a changed signature',
      (it) =>
        it.map((block) =>
          block.type === 'thinking' ? { ...block, signature: `${block.signature.slice(0, -1)}x` } : block,
        ),
      /Invalid `signature`/,
    ],
    [
      'changed redacted thinking',
      (it) => it.map((block) => (block.type === 'redacted_thinking' ? { ...block, data: 'x' } : block)),
      /Invalid `data` in `redacted_thinking` block/,
    ],
    [
      'thinking left out',
      (it) => it.filter((block) => block.type === 'tool_use'),
      /blocks in the latest assistant message cannot be modified/,
    ],
    ['one thinking block left out', (it) => it.toSpliced(3, 1), /cannot be modified/],
    [
      'thinking in another order',
      (it) => [it[1], it[0], ...it.slice(2)].filter((block) => block !== undefined),
      /cannot be modified/,
    ],
    [
      'a cache_control on thinking',
      (it) =>
        it.map((block) => (block.type === 'thinking' ? { ...block, cache_control: { type: 'ephemeral' } } : block)),
      /cache_control: Extra inputs are not permitted/,
    ],
  ])('%s is refused', async (_, change, message) => {
    expect(await ask(answered(change(replied)))).toMatch(message);
  });

  test('thinking of a turn that is over may be left out whole, not in part', async () => {
    const later = (blocks: ContentBlockParam[]) => {
      const { messages } = answered(blocks);
      return { messages: [...messages, { role: 'assistant', content: 'done' }, { role: 'user', content: 'and now?' }] };
    };
    expect(await ask(later(replied))).toBe('end_turn');
    expect(await ask(later(replied.filter((block) => block.type === 'tool_use')))).toBe('end_turn');
    expect(await ask(later(replied.toSpliced(3, 1)))).toMatch(/cannot be modified/);
  });

  test('thinking is left out when the request disables it, and empty but signed when it asks for that', async () => {
    const none = await client.messages.create({ ...base, thinking: { type: 'disabled' }, messages: [go] });
    expect(none.content.map((block) => block.type)).toEqual(['tool_use', 'tool_use']);
    const thinking = { type: 'adaptive', display: 'omitted' } as const;
    const omitted = await client.messages.create({ ...base, thinking, messages: [go] });
    expect(omitted.content[0]).toMatchObject({ type: 'thinking', thinking: '', signature: expect.stringMatching(/./) });
    const ids = omitted.content.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
    expect(await ask(answered(omitted.content, results(...ids)))).toBe('end_turn');
  });
});

describe('calls and results', () => {
  const call = (id: string): ContentBlockParam => ({ type: 'tool_use', id, name: 'bash', input: {} });
  test.each<[string, ContentBlockParam[], ContentBlockParam[], RegExp | string]>([
    ['every call has its result', [call('a'), call('b')], results('b', 'a'), 'end_turn'],
    [
      'a call without a result',
      [call('a'), call('b')],
      results('a'),
      /ids were found without `tool_result` blocks immediately after: b\./,
    ],
    [
      'a result behind text',
      [call('a')],
      [{ type: 'text', text: 'x' }, ...results('a')],
      /without `tool_result` blocks immediately after: a/,
    ],
    ['text behind the results', [call('a')], [...results('a'), { type: 'text', text: 'x' }], 'end_turn'],
    [
      'a result of nothing',
      [call('a')],
      results('a', 'z'),
      /unexpected `tool_use_id` found in `tool_result` blocks: z/,
    ],
    ['two results of one call', [call('a')], results('a', 'a'), /must have a single result/],
    ['two calls with one id', [call('a'), call('a')], results('a'), /`tool_use` ids must be unique/],
  ])('%s', async (_, blocks, answer, expected) => {
    expect(await ask(answered(blocks, answer))).toMatch(expected);
  });

  test('an id that comes again in a later reply is refused', async () => {
    const { messages } = answered([call('a')], results('a'));
    expect(await ask({ messages: [...messages, ...messages.slice(1)] })).toMatch(/ids must be unique/);
  });

  test('the last call of all needs its result as well', async () => {
    expect(await ask({ messages: [go, { role: 'assistant', content: [call('a')] }] })).toMatch(/immediately after: a/);
  });
});

describe('a malformed request names what is wrong', () => {
  const text = (value: string) => [{ type: 'text', text: value }];
  const tool = (name: string) => ({ name, input_schema: { type: 'object' } });
  const cached = (n: number, ttl?: string) =>
    Array.from({ length: n }, (_, i) => ({
      type: 'text',
      text: `part ${i}`,
      cache_control: { type: 'ephemeral', ttl },
    }));
  test.each<[string, object, RegExp | string]>([
    ['max_tokens missing', { max_tokens: undefined, messages: [go] }, 'max_tokens: Field required'],
    ['max_tokens too large', { max_tokens: 200_000, stream: true, messages: [go] }, /max_tokens: 200000 > 128000/],
    ['no messages', { messages: [] }, 'messages: at least one message is required'],
    ['an unknown member', { messages: [go], temprature: 1 }, 'temprature: Extra inputs are not permitted'],
    ['an unknown role', { messages: [{ role: 'robot', content: 'x' }] }, /messages\.0\.role: Input should be/],
    [
      'the assistant first',
      { messages: [{ role: 'assistant', content: 'x' }, go] },
      /first message must use the "user" role/,
    ],
    [
      'the assistant last',
      { messages: [go, { role: 'assistant', content: 'Well,' }] },
      /does not support assistant message prefill/,
    ],
    [
      'an unknown member of a message',
      { messages: [{ ...go, id: 'x' }] },
      'messages.0.id: Extra inputs are not permitted',
    ],
    ['empty content', { messages: [{ role: 'user', content: [] }] }, /all messages must have non-empty content/],
    ['an empty text', { messages: [{ role: 'user', content: text('') }] }, /text content blocks must be non-empty/],
    ['a blank text', { messages: [{ role: 'user', content: text(' \n') }] }, /must contain non-whitespace text/],
    [
      'a call from the user',
      { messages: [{ role: 'user', content: [{ type: 'tool_use', id: 'a', name: 'b', input: {} }] }] },
      /can only be in `assistant` messages/,
    ],
    [
      'a block of no known type',
      { messages: [{ role: 'user', content: [{ type: 'agent.message' }] }] },
      /does not match any of the expected tags/,
    ],
    [
      'a PDF that is none',
      {
        messages: [
          {
            role: 'user',
            content: [{ type: 'document', source: { type: 'base64', media_type: 'text/csv', data: 'YQ==' } }],
          },
        ],
      },
      /media_type: Input should be 'application\/pdf'/,
    ],
    [
      'five breakpoints',
      { system: cached(2), messages: [{ role: 'user', content: cached(3) }] },
      'A maximum of 4 blocks with cache_control may be provided. Found 5.',
    ],
    [
      'a long breakpoint behind a short one',
      { system: cached(1), messages: [{ role: 'user', content: cached(1, '1h') }] },
      /must not come after a ttl='5m'/,
    ],
    ['two tools of one name', { tools: [tool('a'), tool('a')], messages: [go] }, 'tools: Tool names must be unique.'],
    [
      'a tool without a schema',
      { tools: [{ name: 'a' }], messages: [go] },
      /tools\.0\.custom\.input_schema: Field required/,
    ],
    [
      'a choice of a tool that is not there',
      { tools: [tool('a')], tool_choice: { type: 'tool', name: 'b' }, messages: [go] },
      /Tool 'b' not found/,
    ],
    [
      'too small a thinking budget',
      { thinking: { type: 'enabled', budget_tokens: 100 }, messages: [go] },
      /greater than or equal to 1024/,
    ],
    ['an unknown effort', { output_config: { effort: 'huge' }, messages: [go] }, /output_config\.effort/],
    [
      'more than the window',
      { messages: [{ role: 'user', content: 'word '.repeat(20_000) }] },
      'prompt is too long: 25000 tokens > 20000 maximum',
    ],
  ])('%s', async (_, body, expected) => {
    expect(await ask(body)).toMatch(expected);
  });

  test('messages of one role in a row are joined, not refused', async () => {
    expect(await ask({ messages: [go, go, { role: 'system', content: 'be quick' }] })).toBe('tool_use');
  });
});
