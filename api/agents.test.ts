import { ConflictError } from '@anthropic-ai/sdk';
import { describe, expect, test } from 'vitest';
import { OTHER_KEY, useApi } from './testing.ts';

const api = useApi();
const create = (more: object = {}) =>
  api()
    .client()
    .beta.agents.create({ name: 'a', model: 'claude-opus-5-5', ...more });
const update = (id: string, change: object) => api().client().beta.agents.update(id, change);

describe('an agent is shown whole', () => {
  test('what was left out has its default', async () => {
    const agent = await create();
    expect(agent).toEqual({
      id: expect.stringMatching(/^agent_/),
      type: 'agent',
      version: 1,
      name: 'a',
      description: null,
      model: { id: 'claude-opus-5-5', effort: { type: 'high' }, speed: 'standard' },
      system: null,
      tools: [],
      mcp_servers: [],
      skills: [],
      multiagent: null,
      metadata: {},
      execution_identity: { type: 'service_account' },
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
      updated_at: agent.created_at,
      archived_at: null,
    });
    expect(await api().client().beta.agents.retrieve(agent.id)).toEqual(agent);
  });

  test('tools are resolved: the toolset’s default reaches each of its entries', async () => {
    const { tools } = await create({
      mcp_servers: [{ type: 'url', name: 's', url: 'https://example.com' }],
      tools: [
        {
          type: 'agent_toolset_20260401',
          default_config: { permission_policy: { type: 'always_ask' } },
          configs: [
            { name: 'bash', enabled: false },
            { name: 'web_fetch', url_sources: { user_input: 'none' }, allowed_domains: ['docs.example.com'] },
          ],
        },
        { type: 'mcp_toolset', mcp_server_name: 's', configs: [{ name: 'x', permission_policy: null }] },
        { type: 'custom', name: 'look_up', description: 'd', input_schema: { type: 'object', title: 'T' } },
      ],
    });
    const ask = { type: 'always_ask' };
    expect(tools).toEqual([
      {
        type: 'agent_toolset_20260401',
        default_config: { enabled: true, permission_policy: ask },
        configs: [
          { type: 'bash', name: 'bash', enabled: false, permission_policy: ask },
          {
            type: 'web_fetch',
            name: 'web_fetch',
            enabled: true,
            permission_policy: ask,
            allowed_domains: ['docs.example.com'],
            url_sources: { user_input: { type: 'none' }, client_tool_results: null, server_tool_results: null },
          },
        ],
      },
      {
        type: 'mcp_toolset',
        mcp_server_name: 's',
        default_config: { enabled: true, permission_policy: ask },
        configs: [{ name: 'x', enabled: true, permission_policy: ask }],
      },
      { type: 'custom', name: 'look_up', description: 'd', input_schema: { type: 'object', title: 'T' } },
    ]);
  });

  test.each([
    ['a bare effort', { id: 'claude-opus-5-5', effort: 'low' }, { effort: { type: 'low' }, speed: 'standard' }],
    ['an effort as an object', { id: 'claude-opus-5-5', effort: { type: 'max' } }, { effort: { type: 'max' } }],
    ['fast', { id: 'claude-opus-5-5', speed: 'fast' }, { speed: 'fast', effort: { type: 'high' } }],
    ['a region', { id: 'claude-opus-5-5', inference_geo: 'us' }, { inference_geo: 'us' }],
    ['a model that nobody knows', 'my-own-model', { id: 'my-own-model', effort: { type: 'high' } }],
  ])('model: %s', async (_name, model, shown) => {
    expect((await create({ model })).model).toMatchObject(shown);
  });

  test('a roster is pinned to versions', async () => {
    const helper = await create({ name: 'helper' });
    const boss = await create({ multiagent: { type: 'coordinator', agents: [helper.id, { type: 'self' }] } });
    const pinned = [
      { type: 'agent', id: helper.id, version: 1 },
      { type: 'agent', id: boss.id, version: 1 },
    ];
    expect(boss.multiagent).toEqual({ type: 'coordinator', agents: pinned });
    await update(helper.id, { name: 'changed' });
    expect((await api().client().beta.agents.retrieve(boss.id)).multiagent).toEqual({
      type: 'coordinator',
      agents: pinned,
    });
  });

  test('the newer multiagent form is merged level by level', async () => {
    const helper = await create({ name: 'helper' });
    const boss = await create({
      multiagent: { type: 'multiagent_20261001', subagents: { type: 'enabled', predefined_agents: [helper.id] } },
    });
    const changed = await update(boss.id, {
      multiagent: { type: 'multiagent_20261001', workflows: { type: 'disabled' } },
    });
    expect(changed.multiagent).toEqual({
      type: 'multiagent_20261001',
      advisor: { type: 'disabled' },
      subagents: {
        type: 'enabled',
        inline_agents: { type: 'enabled' },
        predefined_agents: [{ type: 'agent', id: helper.id, version: 1 }],
      },
      workflows: { type: 'disabled' },
    });
  });
});

describe('updates', () => {
  test('a change makes a version, and every version stays readable', async () => {
    const first = await create({ system: 'one' });
    const second = await update(first.id, { system: 'two' });
    expect(second).toMatchObject({ version: 2, system: 'two', name: 'a', created_at: first.created_at });
    expect(await api().client().beta.agents.retrieve(first.id, { version: 1 })).toEqual(first);
    const versions = await api().client().beta.agents.versions.list(first.id, { limit: 1 });
    expect(versions.data.map((agent) => agent.version)).toEqual([2]);
    const older = await versions.getNextPage();
    expect([older.data.map((agent) => agent.version), older.next_page]).toEqual([[1], null]);
  });

  test('a change of nothing makes no version', async () => {
    const agent = await create({ tools: [{ type: 'agent_toolset_20260401' }], metadata: { a: '1' } });
    const same = await update(agent.id, {
      name: 'a',
      tools: [{ type: 'agent_toolset_20260401', configs: [] }],
      metadata: { b: null },
    });
    expect(same).toEqual(agent);
  });

  test.each([
    ['a null system', { system: null }, { system: null }],
    ['an empty system', { system: '' }, { system: null }],
    ['an empty description', { description: '' }, { description: null }],
    ['null tools', { tools: null }, { tools: [] }],
    ['no tools', { tools: [] }, { tools: [] }],
    ['a metadata key', { metadata: { keep: 'new', gone: null } }, { metadata: { keep: 'new', other: '3' } }],
    ['null metadata', { metadata: null }, { metadata: { keep: '1', gone: '2', other: '3' } }],
    [
      'the model by its id: the effort stays',
      { model: 'claude-opus-5-5' },
      { model: { id: 'claude-opus-5-5', effort: { type: 'max' }, speed: 'standard' } },
    ],
    [
      'another model: its own effort',
      { model: 'claude-sonnet-5-5' },
      { model: { id: 'claude-sonnet-5-5', effort: { type: 'high' }, speed: 'standard' } },
    ],
  ])('%s', async (_name, change, shown) => {
    const agent = await create({
      system: 's',
      description: 'd',
      tools: [{ type: 'agent_toolset_20260401' }],
      metadata: { keep: '1', gone: '2', other: '3' },
      model: { id: 'claude-opus-5-5', effort: 'max', speed: 'fast', inference_geo: 'us' },
    });
    expect(await update(agent.id, change)).toMatchObject(shown);
  });

  test('a version that is not the current one is a conflict, even for a change of nothing, and is not retried', async () => {
    const agent = await create();
    await update(agent.id, { version: 1, name: 'b' });
    const stale = api().client({ maxRetries: 2 }).beta.agents.update(agent.id, { version: 1, name: 'b' });
    await expect(stale).rejects.toThrow(ConflictError);
    const reply = await api().send('POST', `/v1/agents/${agent.id}`, { version: 1, name: 'b' });
    expect(reply.headers.get('x-should-retry')).toBe('false');
  });

  test('the rules between fields hold for the result', async () => {
    const agent = await create({
      mcp_servers: [{ type: 'url', name: 's', url: 'https://example.com' }],
      tools: [{ type: 'mcp_toolset', mcp_server_name: 's' }],
    });
    const reply = await api().send('POST', `/v1/agents/${agent.id}`, { tools: [] });
    expect([reply.status, reply.json.error.message]).toEqual([400, expect.stringContaining('mcp_servers.0.name')]);
  });

  test('two updates at once both count', async () => {
    const agent = await create();
    await Promise.all(Array.from({ length: 8 }, (_, i) => update(agent.id, { metadata: { [`k${i}`]: 'v' } })));
    const after = await api().client().beta.agents.retrieve(agent.id);
    expect([after.version, Object.keys(after.metadata).length]).toEqual([9, 8]);
  });
});

test('an archived agent is hidden, readable and closed to change', async () => {
  const agent = await create({ name: 'old' });
  const archived = await api().client().beta.agents.archive(agent.id);
  expect(archived).toMatchObject({ version: 1, archived_at: expect.any(String) });
  expect(await api().client().beta.agents.archive(agent.id)).toEqual(archived);
  const ids = async (include: boolean) => {
    const found: string[] = [];
    for await (const one of api().client().beta.agents.list({ include_archived: include })) found.push(one.id);
    return found;
  };
  expect(await ids(false)).not.toContain(agent.id);
  expect(await ids(true)).toContain(agent.id);
  const reply = await api().send('POST', `/v1/agents/${agent.id}`, { name: 'x' });
  expect([reply.status, reply.json.error.message]).toEqual([400, expect.stringContaining('archived')]);
});

test('lists go from the newest to the oldest, page by page, within bounds of time', async () => {
  const made: string[] = [];
  for (let i = 0; i < 5; i++) made.unshift((await create({ name: `n${i}` })).id);
  const seen: string[] = [];
  for await (const agent of api().client().beta.agents.list({ limit: 2 })) seen.push(agent.id);
  expect(seen.slice(0, 5)).toEqual(made);
  expect(new Set(seen).size).toBe(seen.length);
  const later = await api().client().beta.agents.list({ 'created_at[gte]': '2100-01-01T00:00:00Z' });
  expect([later.data, later.next_page]).toEqual([[], null]);
});

test('another workspace’s agents are not there', async () => {
  const agent = await create();
  const other = { authorization: `Bearer ${OTHER_KEY}` };
  for (const [method, path] of [
    ['GET', ''],
    ['POST', ''],
    ['POST', '/archive'],
    ['GET', '/versions'],
  ] as const) {
    const reply = await api().send(method, `/v1/agents/${agent.id}${path}`, method === 'POST' ? {} : undefined, other);
    expect([method, path, reply.status]).toEqual([method, path, 404]);
  }
  expect((await api().send('GET', '/v1/agents', undefined, other)).json.data).toEqual([]);
});
