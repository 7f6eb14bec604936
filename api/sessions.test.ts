import { describe, expect, test } from 'vitest';
import { makeParts, makeSession, message, useApi } from './testing.ts';
import { makeStored } from './testing-log.ts';

const api = useApi({ temporal: true });
const sessions = () => api().client().beta.sessions;
const rowOf = async (id: string) =>
  (await api().database.pool.query('select * from sessions where id = $1', [id])).rows[0];

describe('create', () => {
  test('an idle session, whole', async () => {
    const { agent, environment } = await makeParts(api());
    const session = await sessions().create({ agent, environment_id: environment, title: 't', metadata: { a: '1' } });
    expect(session).toEqual({
      id: expect.stringMatching(/^sesn_/),
      type: 'session',
      status: 'idle',
      title: 't',
      metadata: { a: '1' },
      agent: expect.objectContaining({ type: 'agent', id: agent, version: 1, multiagent: null }),
      environment_id: environment,
      deployment_id: null,
      resources: [],
      vault_ids: [],
      budget: null,
      outcome_evaluations: [],
      usage: expect.objectContaining({ input_tokens: 0, active_seconds: 0 }),
      stats: { active_seconds: 0, duration_seconds: expect.any(Number) },
      created_at: expect.any(String),
      updated_at: session.created_at,
      archived_at: null,
    });
    expect(Object.keys(session.agent)).not.toContain('created_at');
    const input = api().faults.starts.find((one) => one.session === session.id);
    expect(input).toMatchObject({
      v: 1,
      session: session.id,
      workspace: 'wrkspc_1',
      agent: { name: 'tester', rev: 0 },
    });
    expect(input?.agent.tools.bash).toEqual({ kind: 'builtin', enabled: true, policy: 'always_allow' });
    expect(await rowOf(session.id)).toMatchObject({ phase: 'live', start_input: null });
  });

  test('with first events it is born running, and they are in its log at once', async () => {
    const { agent, environment } = await makeParts(api());
    const session = await sessions().create({
      agent,
      environment_id: environment,
      initial_events: [message('one') as never, message('two') as never],
    });
    expect(session.status).toBe('running');
    const { data } = await sessions().events.list(session.id);
    expect(data.slice(0, 2)).toMatchObject([message('one'), message('two')]);
  });

  test.each([
    ['the newest version', (id: string) => id, { version: 2, name: 'second' }],
    ['a pinned version', (id: string) => ({ type: 'agent' as const, id, version: 1 }), { version: 1, name: 'first' }],
    ['the newest version, as an object', (id: string) => ({ type: 'agent' as const, id }), { version: 2 }],
    [
      'overrides replace and clear',
      (id: string) => ({
        type: 'agent_with_overrides' as const,
        id,
        system: null,
        tools: [],
        model: 'claude-sonnet-5-5',
      }),
      {
        version: 2,
        system: null,
        tools: [],
        model: { id: 'claude-sonnet-5-5', effort: { type: 'high' }, speed: 'standard' },
      },
    ],
    [
      'overrides that are left out inherit',
      (id: string) => ({ type: 'agent_with_overrides' as const, id, version: 1, system: 'mine' }),
      { version: 1, name: 'first', system: 'mine', model: { id: 'claude-opus-5-5', effort: { type: 'low' } } },
    ],
  ])('agent: %s', async (_name, form, shown) => {
    const { environment } = await makeParts(api());
    const tools = [{ type: 'agent_toolset_20260401' as const }];
    const model = { id: 'claude-opus-5-5', effort: 'low' as const };
    const agent = await api().client().beta.agents.create({ name: 'first', model, system: 's', tools });
    await api().client().beta.agents.update(agent.id, { name: 'second' });
    const session = await sessions().create({ agent: form(agent.id), environment_id: environment });
    expect(session.agent).toMatchObject({ id: agent.id, ...shown });
  });

  test('an archived agent has no new sessions', async () => {
    const { agent, environment } = await makeParts(api());
    await api().client().beta.agents.archive(agent);
    const reply = await api().send('POST', '/v1/sessions', { agent, environment_id: environment });
    expect([reply.status, reply.json.error.message]).toEqual([400, expect.stringMatching(/^agent: .*archived/)]);
  });

  test.each([
    ['multiagent', { multiagent: { type: 'multiagent_20261001' } }, 'agent.multiagent'],
    ['another identity', { execution_identity: { type: 'aws_role', role_arn: 'arn' } }, 'agent.execution_identity'],
  ])('what an agent may have and a session not yet is refused by name: %s', async (_name, more, field) => {
    const { environment } = await makeParts(api());
    const agent = await api().send('POST', '/v1/agents', { name: 'a', model: 'm', ...more });
    const reply = await api().send('POST', '/v1/sessions', { agent: agent.json.id, environment_id: environment });
    expect([reply.status, reply.json.error.message]).toEqual([400, expect.stringMatching(new RegExp(`^${field}: `))]);
  });

  test('a session whose start never reached Temporal is started by whoever reads it', async () => {
    api().faults.broken.start = 'before';
    const { agent, environment } = await makeParts(api());
    const failed = await api().send('POST', '/v1/sessions', { agent, environment_id: environment, title: 'half' });
    expect(failed.status).toBe(500);
    const [half] = (await api().database.pool.query("select id from sessions where phase = 'creating'")).rows;
    api().faults.broken.start = undefined;
    expect(await sessions().retrieve(half.id)).toMatchObject({ title: 'half', status: 'idle' });
    expect(await rowOf(half.id)).toMatchObject({ phase: 'live' });
    expect(await api().deps.sessionClient.isOpen(half.id)).toBe(true);
  });
});

describe('update', () => {
  test('title and metadata; the answer shows what was changed', async () => {
    const id = await makeSession(api(), { metadata: { a: '1', b: '2' } });
    const changed = await sessions().update(id, { title: 'new', metadata: { a: null, c: '3' } });
    expect(changed).toMatchObject({ title: 'new', metadata: { b: '2', c: '3' } });
    const [event] = (await sessions().events.list(id, { types: ['session.updated'] })).data;
    expect(event).toMatchObject({ type: 'session.updated', title: 'new', metadata: { b: '2', c: '3' } });
    expect(await sessions().update(id, { title: null })).toMatchObject({ title: null });
  });

  test('a change of nothing reaches no workflow', async () => {
    const id = await makeSession(api(), { title: 't', metadata: { a: '1' } });
    const before = api().faults.posts.length;
    await sessions().update(id, {
      title: 't',
      metadata: { a: '1', x: null },
      agent: { tools: [{ type: 'agent_toolset_20260401' }] },
    });
    expect(api().faults.posts.length).toBe(before);
  });

  test('tools: a new revision of the session’s agent, and of nothing else', async () => {
    const id = await makeSession(api());
    const tools = [
      {
        type: 'agent_toolset_20260401' as const,
        default_config: { permission_policy: { type: 'always_ask' as const } },
      },
    ];
    const changed = await sessions().update(id, { agent: { tools } });
    expect(changed.agent).toMatchObject({
      version: 1,
      tools: [{ default_config: { permission_policy: { type: 'always_ask' } } }],
    });
    const op = api().faults.posts.findLast((one) => one.session === id)?.op;
    expect(op).toMatchObject({ op: 'update', agent: { rev: 1, tools: { bash: { policy: 'always_ask' } } } });
    const agent = await api().client().beta.agents.retrieve(changed.agent.id);
    expect(agent.tools).toMatchObject([{ default_config: { permission_policy: { type: 'always_allow' } } }]);
  });

  test('updates at the same time all count', async () => {
    const id = await makeSession(api());
    await Promise.all(Array.from({ length: 6 }, (_, i) => sessions().update(id, { metadata: { [`k${i}`]: 'v' } })));
    expect(Object.keys((await sessions().retrieve(id)).metadata)).toHaveLength(6);
  });
});

describe('archive and delete', () => {
  test('an archived session is terminated, hidden and readable', async () => {
    const id = await makeSession(api());
    const archived = await sessions().archive(id);
    expect(archived).toMatchObject({ status: 'terminated', archived_at: expect.any(String) });
    expect(await sessions().archive(id)).toMatchObject({ archived_at: archived.archived_at });
    expect((await sessions().list()).data.map((one) => one.id)).not.toContain(id);
    expect((await sessions().list({ include_archived: true })).data.map((one) => one.id)).toContain(id);
    expect((await sessions().events.list(id)).data.map((event) => event.type)).toContain('session.status_terminated');
    const reply = await api().send('POST', `/v1/sessions/${id}/events`, { events: [message('x')] });
    expect(reply.status).toBe(400);
  });

  test.each(['POST archive', 'DELETE '])('a running session is left alone: %s', async (what) => {
    const [method = '', path] = what.split(' ');
    const id = await makeSession(api(), { initial_events: [message('answer slowly')] });
    const reply = await api().send(method, `/v1/sessions/${id}${path ? `/${path}` : ''}`);
    expect([reply.status, reply.json.error.message]).toEqual([400, expect.stringContaining('running')]);
    expect(await sessions().retrieve(id)).toMatchObject({ status: 'running' });
    expect(await rowOf(id)).toMatchObject({ phase: 'live' });
  });

  test('a deleted session leaves nothing', async () => {
    const id = await makeSession(api());
    await sessions().events.send(id, { events: [message('x'.repeat(50_000)) as never] });
    const ended = async () => (await sessions().events.list(id, { types: ['session.status_idle'] })).data.length;
    await expect.poll(ended, { timeout: 10_000 }).toBe(1);
    expect(await sessions().delete(id)).toEqual({ id, type: 'session_deleted' });
    expect((await api().send('GET', `/v1/sessions/${id}`)).status).toBe(404);
    for (const table of ['sessions', 'session_agents', 'log_entries', 'log_heads']) {
      const column = table === 'sessions' ? 'id' : 'session_id';
      const { rows } = await api().database.pool.query(`select * from ${table} where ${column} = $1`, [id]);
      expect([table, rows]).toEqual([table, []]);
    }
    expect(await api().deps.sessionClient.isOpen(id)).toBe(false);
  });

  test('a deletion that a crash broke off is finished by whoever reads the session', async () => {
    const id = await makeSession(api());
    await api().database.pool.query("update sessions set phase = 'deleting' where id = $1", [id]);
    expect((await api().send('GET', `/v1/sessions/${id}`)).status).toBe(404);
    expect(await rowOf(id)).toBeUndefined();
  });

  test('half-made sessions are finished without a reader', async () => {
    const id = await makeSession(api());
    await api().database.pool.query(
      "update sessions set phase = 'deleting', created_at = now() - interval '1 minute' where id = $1",
      [id],
    );
    await api().restart();
    await expect.poll(() => rowOf(id), { timeout: 5000 }).toBeUndefined();
  });
});

describe('list', () => {
  test('both ways, in both orders', async () => {
    const { agent } = await makeParts(api());
    const made: string[] = [];
    for (let i = 0; i < 5; i++) made.push(await makeSession(api(), { agent }));
    for (const order of ['asc', 'desc'] as const) {
      const wanted = order === 'asc' ? made : made.toReversed();
      const ids = (page: { data: { id: string }[] }) => page.data.map((one) => one.id);
      const first = await sessions().list({ agent_id: agent, order, limit: 2 });
      expect([ids(first), first.prev_page]).toEqual([wanted.slice(0, 2), null]);
      const second = await first.getNextPage();
      const third = await second.getNextPage();
      expect([ids(second), ids(third), third.next_page]).toEqual([wanted.slice(2, 4), wanted.slice(4), null]);
      const back = await sessions().list({ agent_id: agent, order, limit: 2, page: third.prev_page });
      expect(ids(back)).toEqual(wanted.slice(2, 4));
      const start = await sessions().list({ agent_id: agent, order, limit: 2, page: back.prev_page });
      expect([ids(start), start.prev_page]).toEqual([wanted.slice(0, 2), null]);
      expect(ids(await start.getNextPage())).toEqual(wanted.slice(2, 4));
    }
  });

  test('filters', async () => {
    const { agent } = await makeParts(api());
    const idle = await makeSession(api(), { agent });
    const running = await makeSession(api(), { agent, initial_events: [message('answer slowly')] });
    const list = async (filter: object) =>
      (await sessions().list({ agent_id: agent, order: 'asc', ...filter })).data.map((one) => one.id);
    expect(await list({})).toEqual([idle, running]);
    expect(await list({ statuses: ['running'] })).toEqual([running]);
    expect(await list({ statuses: ['idle', 'running'] })).toEqual([idle, running]);
    expect(await list({ agent_version: 1 })).toEqual([idle, running]);
    expect(await list({ agent_version: 2 })).toEqual([]);
    expect(await list({ deployment_id: 'depl_x' })).toEqual([]);
    expect(await list({ memory_store_id: 'memstore_x' })).toEqual([]);
    expect(await list({ 'created_at[lt]': '2020-01-01T00:00:00Z' })).toEqual([]);
    const { created_at } = await sessions().retrieve(running);
    expect(await list({ 'created_at[gte]': created_at })).toEqual([running]);
    expect(await list({ 'created_at[gt]': created_at })).toEqual([]);
  });

  test('a cursor keeps its order, and its place within the bounds', async () => {
    await makeSession(api());
    await makeSession(api());
    const { next_page } = await sessions().list({ limit: 1 });
    const ask = (query: string) => api().send('GET', `/v1/sessions?page=${next_page}&${query}`);
    expect((await ask('order=asc')).json.error.message).toMatch(/^page: /);
    expect((await ask('created_at[lt]=2020-01-01T00:00:00Z')).json.error.message).toMatch(/^page: /);
    expect((await ask('limit=5')).status).toBe(200);
    expect((await api().send('GET', `/v1/agents?page=${next_page}`)).json.error.message).toMatch(/^page: /);
  });
});

test('the time that a session has been running counts while it runs', async () => {
  const session = await makeStored(api());
  session.status = 'running';
  await session.append({ type: 'session.status_running' });
  const past = `running_since = now() - interval '10 seconds', created_at = now() - interval '20 seconds'`;
  await api().database.pool.query(`update sessions set ${past} where id = $1`, [session.id]);
  const { usage, stats } = await sessions().retrieve(session.id);
  expect(usage.active_seconds).toBeGreaterThan(10.9);
  expect(stats.active_seconds).toBeGreaterThan(10.9);
  expect(stats.duration_seconds).toBeGreaterThan(19.9);
});

test('the primary thread is listed, shown and read like the session', async () => {
  const session = await makeStored(api());
  const { id } = session;
  const [thread] = (await sessions().threads.list(id)).data;
  const begun = { type: 'session_thread', session_id: id, parent_thread_id: null, status: 'idle' };
  expect(thread).toMatchObject({ ...begun, usage: null, stats: null });
  const thread_id = thread?.id ?? '';
  await session.append({ ...message('x'), type: 'user.message' });
  const shown = await sessions().threads.retrieve(thread_id, { session_id: id });
  expect(shown).toMatchObject({ id: thread_id, usage: { active_seconds: 1 } });
  const events = await sessions().threads.events.list(thread_id, { session_id: id });
  expect(events.data.map((event) => event.type)).toEqual(['user.message']);
  expect((await sessions().threads.list(id, { statuses: ['running'] })).data).toEqual([]);
});
