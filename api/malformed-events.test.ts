/** Events that are wrong before their session is asked. */
import { beforeAll, test } from 'vitest';
import { message, useApi } from './testing.ts';
import { type Case, makeOwned, refuse } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);
const events = (...list: unknown[]) => ({ events: list });
const said = (...content: unknown[]) => events({ type: 'user.message', content });
const text = { type: 'text', text: 'x' };
const system = { type: 'system.message', content: [text] };
const confirm = (more: object) =>
  events({ type: 'user.tool_confirmation', tool_use_id: 'sevt_1', result: 'allow', ...more });

const cases: Case[] = [
  ['no events', '/v1/sessions/SESSION/events', {}, 'events: Field required'],
  ['an empty list', '/v1/sessions/SESSION/events', events(), 'events: '],
  ['an event without type', '/v1/sessions/SESSION/events', events({ content: [] }), 'events.0.type: '],
  [
    'an event of the agent',
    '/v1/sessions/SESSION/events',
    events({ type: 'agent.message', content: [] }),
    'events.0.type: ',
  ],
  ['a message without content', '/v1/sessions/SESSION/events', said(), 'events.0.content: '],
  [
    'content that is a string',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.message', content: 'hi' }),
    'events.0.content: ',
  ],
  [
    'the second event is wrong',
    '/v1/sessions/SESSION/events',
    events(message('fine'), { type: 'user.message' }),
    'events.1.content: ',
  ],
  [
    'an id of the client’s own',
    '/v1/sessions/SESSION/events',
    events({ ...message('x'), id: 'sevt_1' }),
    'events.0.id: ',
  ],
  [
    'a tool result of a self-hosted sandbox',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.tool_result', tool_use_id: 'sevt_1' }),
    'events.0.type: ',
  ],
  [
    'a confirmation of nothing',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.tool_confirmation', result: 'allow' }),
    'events.0.tool_use_id: ',
  ],
  [
    'a reason to allow',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.tool_confirmation', tool_use_id: 'sevt_1', result: 'allow', deny_message: 'no' }),
    'events.0.deny_message: ',
  ],
  [
    'neither yes nor no',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.tool_confirmation', tool_use_id: 'sevt_1', result: 'maybe' }),
    'events.0.result: ',
  ],
  [
    'an interrupt of an unknown thread',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.interrupt', session_thread_id: 'sthr_none' }),
    'events.0.session_thread_id: ',
  ],
  [
    'a system message that is not last',
    '/v1/sessions/SESSION/events',
    events({ type: 'system.message', content: [{ type: 'text', text: 'x' }] }, message('x')),
    'events.0.type: ',
  ],
  [
    'a system message after an interrupt',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.interrupt' }, { type: 'system.message', content: [{ type: 'text', text: 'x' }] }),
    'events.1.type: ',
  ],
  ['events that are an object', '/v1/sessions/SESSION/events', { events: {} }, 'events: Expected array'],
  ['an event that is null', '/v1/sessions/SESSION/events', events(null), 'events.0: '],
  ['an event that is a string', '/v1/sessions/SESSION/events', events('hello'), 'events.0: '],
  ['a type that is a number', '/v1/sessions/SESSION/events', events({ type: 7 }), 'events.0.type: '],
  ['501 events', '/v1/sessions/SESSION/events', events(...Array.from({ length: 501 }, () => message('x'))), 'events: '],
  [
    '1001 blocks',
    '/v1/sessions/SESSION/events',
    said(...Array.from({ length: 1001 }, () => text)),
    'events.0.content: ',
  ],
  [
    'a stamp of the client’s own',
    '/v1/sessions/SESSION/events',
    events({ ...message('x'), processed_at: '2026-01-01T00:00:00Z' }),
    'events.0.processed_at: Extra inputs',
  ],
  [
    'a tool use id with a space',
    '/v1/sessions/SESSION/events',
    confirm({ tool_use_id: 'a b' }),
    'events.0.tool_use_id: ',
  ],
  [
    'a tool use id of 129 characters',
    '/v1/sessions/SESSION/events',
    confirm({ tool_use_id: 'a'.repeat(129) }),
    'events.0.tool_use_id: ',
  ],
  [
    'a thread on a confirmation',
    '/v1/sessions/SESSION/events',
    confirm({ session_thread_id: 'sthr_1' }),
    'events.0.session_thread_id: Extra inputs',
  ],
  [
    'a reason that is too long',
    '/v1/sessions/SESSION/events',
    confirm({ result: 'deny', deny_message: 'x'.repeat(10_001) }),
    'events.0.deny_message: ',
  ],
  [
    'a custom result without id',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.custom_tool_result' }),
    'events.0.custom_tool_use_id: Field required',
  ],
  [
    'a custom result whose error is a word',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.custom_tool_result', custom_tool_use_id: 'sevt_1', is_error: 'no' }),
    'events.0.is_error: Expected boolean',
  ],
  [
    'a custom result that is a string',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.custom_tool_result', custom_tool_use_id: 'sevt_1', content: 'x' }),
    'events.0.content: Expected array',
  ],
  [
    'a search result without citations',
    '/v1/sessions/SESSION/events',
    events({
      type: 'user.custom_tool_result',
      custom_tool_use_id: 'sevt_1',
      content: [{ type: 'search_result', source: 's', title: 't', content: [text] }],
    }),
    'events.0.content.0.citations: ',
  ],
  [
    'an interrupt of a thread that is a number',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.interrupt', session_thread_id: 1 }),
    'events.0.session_thread_id: ',
  ],
  [
    'an outcome of 21 rounds',
    '/v1/sessions/SESSION/events',
    events({
      type: 'user.define_outcome',
      description: 'd',
      rubric: { type: 'text', content: 'r' },
      max_iterations: 21,
    }),
    'events.0.max_iterations: ',
  ],
  [
    'a rubric that is too long',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.define_outcome', description: 'd', rubric: { type: 'text', content: 'r'.repeat(262_145) } }),
    'events.0.rubric.content: ',
  ],
  [
    'a picture in a system message',
    '/v1/sessions/SESSION/events',
    events({ type: 'system.message', content: [{ type: 'image', source: { type: 'url', url: 'https://a.com/x' } }] }),
    'events.0.content.0.type: ',
  ],
  ['two system messages', '/v1/sessions/SESSION/events', events(message('x'), system, system), 'events.1.type: '],
  [
    'a field besides the events',
    '/v1/sessions/SESSION/events',
    { events: [message('x')], stream: true },
    'stream: Extra inputs',
  ],
];

test.each(cases)('%s', async (...one) => {
  await refuse(api(), one, ids);
});
