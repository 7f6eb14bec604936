/** Events and changes that are well formed and come at the wrong time: refused whole, and the log is as it was. */
import { beforeAll, expect, test, vi } from 'vitest';
import { makeParts, makeSession, message, useApi } from './testing.ts';
import { expectRefusal, leavesNothing } from './testing-malformed.ts';

const api = useApi({ temporal: true });
/** `asking` waits for two confirmations, `custom` for the client's tool, `done` for nothing. */
const ids = { asking: '', custom: '', done: '', archived: '', deleted: '', running: '' };
const uses = { first: '', second: '', custom: '', allowed: '' };

const events = (session: string, ...list: unknown[]) =>
  api().send('POST', `/v1/sessions/${session}/events`, { events: list });
const usesOf = async (session: string, type: string): Promise<string[]> => {
  const { json } = await api().send('GET', `/v1/sessions/${session}/events?types[]=${type}`);
  return json.data.map((event: { id: string }) => event.id);
};
async function idle(session: string): Promise<void> {
  const status = async () => (await api().send('GET', `/v1/sessions/${session}`)).json.status;
  await vi.waitUntil(async () => (await status()) === 'idle', { timeout: 20_000 });
}

beforeAll(async () => {
  const lookUp = { type: 'custom', name: 'look_up', description: 'd', input_schema: { type: 'object' } };
  const ask = { type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } };
  const { environment } = await makeParts(api());
  const agent = await api().send('POST', '/v1/agents', { name: 'a', model: 'claude-sonnet-5-5', tools: [ask, lookUp] });
  const make = (text?: string) =>
    makeSession(api(), {
      agent: agent.json.id,
      environment_id: environment,
      ...(text ? { initial_events: [message(text)] } : {}),
    });
  ids.asking = await make('use bash');
  ids.custom = await make('look it up');
  ids.done = await make('hello');
  ids.archived = await make();
  ids.deleted = await make();
  for (const id of [ids.asking, ids.custom, ids.done]) await idle(id);
  await api().send('POST', `/v1/sessions/${ids.archived}/archive`);
  await api().send('DELETE', `/v1/sessions/${ids.deleted}`);
  const [first = '', second = ''] = await usesOf(ids.asking, 'agent.tool_use');
  const [custom = ''] = await usesOf(ids.custom, 'agent.custom_tool_use');
  Object.assign(uses, { first, second, custom });
  expect(Object.values(uses).slice(0, 3)).not.toContain('');
}, 300_000);

const confirm = (id: string, more: object = {}) => ({
  type: 'user.tool_confirmation',
  tool_use_id: id,
  result: 'allow',
  ...more,
});
const answer = (id: string) => ({ type: 'user.custom_tool_result', custom_tool_use_id: id });

type Wrong = [name: string, session: keyof typeof ids, list: () => unknown[], field: string | RegExp, status?: number];
const wrong: Wrong[] = [
  ['a confirmation of an unknown call', 'asking', () => [confirm('sevt_none')], 'tool_use_id: no call sevt_none'],
  ['a confirmation of another session’s call', 'asking', () => [confirm(uses.custom)], 'tool_use_id: no call'],
  ['a confirmation of the client’s own tool', 'custom', () => [confirm(uses.custom)], 'tool_use_id: no call'],
  ['a confirmation while nothing is asked', 'done', () => [confirm(uses.first)], 'tool_use_id: no call'],
  [
    'a custom result for a built-in tool',
    'asking',
    () => [answer(uses.first)],
    'custom_tool_use_id: no custom tool call',
  ],
  [
    'a custom result for an unknown call',
    'custom',
    () => [answer('sevt_none')],
    'custom_tool_use_id: no custom tool call',
  ],
  ['a custom result while nothing is asked', 'done', () => [answer(uses.custom)], 'custom_tool_use_id: no custom'],
  [
    'two results for one call',
    'custom',
    () => [answer(uses.custom), answer(uses.custom)],
    'custom_tool_use_id: no custom',
  ],
  [
    'a right confirmation beside a wrong one',
    'asking',
    () => [confirm(uses.first), confirm('sevt_none')],
    'tool_use_id: no call',
  ],
  [
    'a right result beside a wrong one',
    'custom',
    () => [answer(uses.custom), confirm('sevt_none')],
    'tool_use_id: no call',
  ],
  ['a message while calls wait', 'asking', () => [message('hello?')], /waits for answers to .*requires_action/],
  ['a message while the client’s tool waits', 'custom', () => [message('hello?')], /waits for answers to/],
  [
    'one of two confirmations, and a message',
    'asking',
    () => [confirm(uses.first), message('go on')],
    /waits for answers to/,
  ],
  [
    'a tool result of a sandbox that is ours',
    'asking',
    () => [{ type: 'user.tool_result', tool_use_id: uses.first }],
    'events.0.type: ',
  ],
  [
    'an interrupt of another thread',
    'done',
    () => [{ type: 'user.interrupt', session_thread_id: 'sthr_none' }],
    'events.0.session_thread_id: ',
  ],
  [
    'a system message that the model does not take',
    'done',
    () => [{ type: 'system.message', content: [{ type: 'text', text: 'x' }] }],
    'events.0.type: ',
  ],
  ['a message to an archived session', 'archived', () => [message('x')], /terminated; it takes no more events/],
  [
    'an interrupt of an archived session',
    'archived',
    () => [{ type: 'user.interrupt' }],
    /terminated; it takes no more events/,
  ],
  [
    'a confirmation in an archived session',
    'archived',
    () => [confirm(uses.first)],
    /terminated; it takes no more events/,
  ],
  ['a message to a deleted session', 'deleted', () => [message('x')], 'Session ', 404],
];

test.each(wrong)('%s', async (_name, session, list, field, status) => {
  expectRefusal(await leavesNothing(api(), () => events(ids[session], ...list())), field, status);
});

test.each<[string, keyof typeof ids, string, string, unknown, string | RegExp, number?]>([
  ['a change of an archived session', 'archived', 'POST', '', { title: 'x' }, /has ended and cannot be updated/],
  ['a change of a deleted session', 'deleted', 'POST', '', { title: 'x' }, 'Session ', 404],
  ['archiving a deleted session', 'deleted', 'POST', '/archive', undefined, 'Session ', 404],
  ['deleting a deleted session', 'deleted', 'DELETE', '', undefined, 'Session ', 404],
  ['listing a deleted session', 'deleted', 'GET', '/events', undefined, 'Session ', 404],
  ['streaming a deleted session', 'deleted', 'GET', '/events/stream', undefined, 'Session ', 404],
])('%s', async (_name, session, method, path, body, field, status) => {
  const send = () => api().send(method, `/v1/sessions/${ids[session]}${path}`, body);
  expectRefusal(await leavesNothing(api(), send), field, status);
});

test('a running session is neither archived, deleted nor given other tools', async () => {
  const id = await makeSession(api(), { initial_events: [message('answer slowly')] });
  const path = `/v1/sessions/${id}`;
  const types = async () =>
    (await api().send('GET', `${path}/events`)).json.data.map((one: { type: string }) => one.type);
  await expect.poll(types).toContain('span.model_request_start');
  const before = await types();
  expectRefusal(await api().send('POST', `${path}/archive`), /is running and cannot be archived/);
  expectRefusal(await api().send('DELETE', path), /is running and cannot be deleted/);
  expectRefusal(await api().send('POST', path, { agent: { tools: [] } }), 'agent: the session is running');
  expect(await types()).toEqual(before);
  await idle(id);
});

test('the second press of a button changes nothing, and a call that was answered is not answered again', async () => {
  const log = async (session: string) => (await api().send('GET', `/v1/sessions/${session}/events`)).json.data;
  const types = async (session: string) => (await log(session)).map((event: { type: string }) => event.type);
  const idles = (session: string, count: number) =>
    expect
      .poll(async () => (await types(session)).filter((type: string) => type === 'session.status_idle').length)
      .toBe(count);
  expect((await events(ids.asking, confirm(uses.first, { result: 'deny' }))).status).toBe(200);
  await idles(ids.asking, 2);
  const before = await log(ids.asking);
  const again = await events(ids.asking, confirm(uses.first));
  expect([again.status, again.json.data]).toEqual([200, []]);
  expect(await log(ids.asking)).toEqual(before);
  const twice = await events(ids.asking, confirm(uses.second, { result: 'deny' }), confirm(uses.second));
  expect(twice.json.data).toHaveLength(1);
  await idles(ids.asking, 3);
  expect(await usesOf(ids.asking, 'user.tool_confirmation')).toHaveLength(2);
  expect((await events(ids.custom, answer(uses.custom))).status).toBe(200);
  await idles(ids.custom, 2);
  const late = await leavesNothing(api(), () => events(ids.custom, answer(uses.custom)));
  expectRefusal(late, 'custom_tool_use_id: no custom');
});
