import { describe, expect, test } from 'vitest';
import { externalize } from '../store/blobs/parts.ts';
import { makeSession, message, useApi } from './testing.ts';
import { makeStored, type StoredSession } from './testing-log.ts';

const api = useApi({ temporal: true });
const events = () => api().client().beta.sessions.events;
const messages = async (id: string) => (await events().list(id, { types: ['user.message'] })).data;
const send = (id: string, ...list: object[]) => events().send(id, { events: list as never });

describe('send', () => {
  test('the answer is the stored events, with ids, before the store has them', async () => {
    const id = await makeSession(api());
    const sent = await send(id, message('one'), { type: 'user.interrupt' }, { ...message('two') });
    expect(sent.data).toEqual([
      { ...message('one'), id: expect.stringMatching(/^sevt_/), processed_at: null },
      { type: 'user.interrupt', id: expect.stringMatching(/^sevt_/), processed_at: null },
      { ...message('two'), id: expect.stringMatching(/^sevt_/), processed_at: null },
    ]);
    const listed = await events().list(id, { types: ['user.message', 'user.interrupt'] });
    expect(listed.data.map((event) => event.id)).toEqual(sent.data?.map((event) => event.id));
  });

  test('a 20 MB picture goes through, and only its name goes to the workflow', async () => {
    const id = await makeSession(api());
    const data = Buffer.alloc(20_000_000, 7).toString('base64');
    const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };
    await send(id, { type: 'user.message', content: [{ type: 'text', text: 'look' }, picture] });
    const op = api().faults.posts.findLast((one) => one.session === id)?.op;
    expect(JSON.stringify(op).length).toBeLessThan(1000);
    const [event] = await messages(id);
    expect(event).toMatchObject({ content: [{ text: 'look' }, { source: { data } }] });
  });

  test('whatever is sent in one request fits one update', async () => {
    const id = await makeSession(api());
    const list = Array.from({ length: 100 }, (_, i) => message(`${i} ${'漢'.repeat(4000)}`));
    await send(id, ...list);
    const op = api().faults.posts.findLast((one) => one.session === id)?.op;
    expect(Buffer.byteLength(JSON.stringify(op))).toBeLessThan(256 * 1024);
    expect(await messages(id)).toMatchObject(list);
  });

  test('text that databases dislike comes back as it was', async () => {
    const id = await makeSession(api());
    const text = 'nul \0, half a pair \ud800, both \u{1f600}, separators \u2028';
    await send(id, message(text), message(`${text}${'x'.repeat(20_000)}`));
    expect(await messages(id)).toMatchObject([message(text), message(`${text}${'x'.repeat(20_000)}`)]);
  });

  test('a system message, for a model that takes them', async () => {
    const id = await makeSession(api());
    const system = { type: 'system.message', content: [{ type: 'text', text: 'be brief' }] };
    expect((await send(id, message('x'), system)).data).toHaveLength(2);
    expect((await send(id, system)).data).toHaveLength(1);
    const agent = await api().client().beta.agents.create({ name: 'a', model: 'claude-sonnet-5-5' });
    const other = await makeSession(api(), { agent: agent.id });
    const reply = await api().send('POST', `/v1/sessions/${other}/events`, { events: [system] });
    expect([reply.status, reply.json.error.details?.error_code]).toEqual([
      400,
      'model_does_not_support_mid_conversation_system',
    ]);
  });
});

describe('list', () => {
  const say = (session: StoredSession, text: string) =>
    session.append({ ...message(text), type: 'user.message', processed_at: null });

  test('an event appears once, in its latest state, and cursors outlive the change', async () => {
    const session = await makeStored(api());
    const { id } = session;
    for (const text of ['a', 'b', 'c', 'd']) await say(session, text);
    const first = await events().list(id, { limit: 2 });
    expect(first.data.map((event) => 'processed_at' in event && event.processed_at)).toEqual([null, null]);
    await session.append({ type: 'session.status_running' });
    await session.process(0);
    await session.process(2);
    const rest = await first.getNextPage();
    const all: string[] = [];
    for await (const event of events().list(id, { limit: 3 })) all.push(event.type);
    expect(all).toEqual([...Array(4).fill('user.message'), 'session.status_running']);
    expect(rest.data[0]).toMatchObject({ ...message('c'), processed_at: expect.any(String) });
    const again = await events().list(id, { order: 'desc', limit: 3 });
    expect(again.data.map((event) => event.type)).toEqual(['session.status_running', 'user.message', 'user.message']);
    expect((await again.getNextPage()).data[1]).toMatchObject({ ...message('a'), processed_at: expect.any(String) });
  });

  test('by type and by time of processing', async () => {
    const session = await makeStored(api());
    await say(session, 'a');
    await session.append({ type: 'session.status_running', processed_at: '2026-01-01T00:00:00.000Z' });
    await session.append({ type: 'agent.thinking', processed_at: '2026-01-02T00:00:00.000Z' });
    const types = async (query: object) => (await events().list(session.id, query)).data.map((event) => event.type);
    expect(await types({ types: ['agent.thinking', 'user.message'] })).toEqual(['user.message', 'agent.thinking']);
    expect(await types({ 'created_at[gt]': '2026-01-01T00:00:00Z' })).toEqual(['agent.thinking']);
    const both = ['session.status_running', 'agent.thinking'];
    expect(await types({ 'created_at[gte]': '2026-01-01T01:00:00+01:00' })).toEqual(both);
    expect(await types({ 'created_at[lt]': '2026-01-02T00:00:00Z' })).toEqual(['session.status_running']);
  });

  test('an empty list ends at once', async () => {
    const page = await events().list((await makeStored(api())).id);
    expect([page.data, page.next_page]).toEqual([[], null]);
  });

  test('a page of large events ends early, and the next goes on', async () => {
    const session = await makeStored(api());
    const event = { type: 'user.message' as const, content: [{ type: 'text', text: 'A'.repeat(24_000_000) }] };
    const { event: moved, blobs } = await externalize(session.id, { event }, api().deps.blobs);
    for (let i = 0; i < 3; i++) await session.append(moved, { blobs });
    const first = await events().list(session.id);
    expect([first.data.length, (await first.getNextPage()).data.length]).toEqual([2, 1]);
  });
});

test('a second confirmation of the same call is accepted and is no event', async () => {
  const tools = [{ type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } }];
  const agent = await api().send('POST', '/v1/agents', { name: 'careful', model: 'claude-opus-5-5', tools });
  const id = await makeSession(api(), { agent: agent.json.id, initial_events: [message('use bash')] });
  const uses = async () => (await events().list(id, { types: ['agent.tool_use'] })).data;
  await expect.poll(async () => (await uses()).length, { timeout: 20_000 }).toBe(2);
  const [one, two] = await uses();
  const allow = (use: string | undefined) => ({ type: 'user.tool_confirmation', tool_use_id: use, result: 'allow' });
  const status = async () => (await api().client().beta.sessions.retrieve(id)).status;
  await expect.poll(status, { timeout: 20_000 }).toBe('idle');
  expect((await send(id, allow(one?.id))).data).toHaveLength(1);
  const again = await send(id, allow(one?.id), { ...allow(two?.id), result: 'deny' });
  expect(again.data).toMatchObject([{ tool_use_id: two?.id, result: 'deny', processed_at: expect.any(String) }]);
});
