/** What is sent is what `/openapi.json` says: every member of every object and event is described, and none is missing. */
import type { z } from '@hono/zod-openapi';
import { expect, test, vi } from 'vitest';
import { agentObject } from './agent-object.ts';
import { eventObject } from './event-objects.ts';
import { sessionObject } from './session-object.ts';
import { makeParts, makeSession, message, type TestApi, useApi } from './testing.ts';
import { threadObject } from './threads.ts';

const api = useApi({ temporal: true });

/** Schemas drop what they do not describe; a wrong or missing member makes them throw. */
function expectDescribed(schema: z.ZodType, value: unknown): void {
  expect(schema.parse(value)).toEqual(value);
}

async function get(to: TestApi, path: string) {
  const reply = await to.send('GET', path);
  expect(reply.status).toBe(200);
  return reply.json;
}

test('an agent with everything set', async () => {
  const { agent } = await makeParts(api());
  const made = await api().send('POST', '/v1/agents', {
    name: 'a',
    model: { id: 'claude-opus-5-5', effort: 'max', speed: 'fast', inference_geo: 'us' },
    tools: [
      {
        type: 'agent_toolset_20260401',
        configs: [
          {
            name: 'web_fetch',
            allowed_domains: ['a.com'],
            max_content_tokens: 5,
            url_sources: { user_input: 'all', server_tool_results: 'none', client_tool_results: null },
          },
          { name: 'web_search', user_location: { type: 'approximate', country: 'DE', city: null } },
          { name: 'bash', enabled: false, permission_policy: { type: 'auto' } },
        ],
      },
      { type: 'mcp_toolset', mcp_server_name: 's', configs: [{ name: 'x', enabled: true }] },
      { type: 'custom', name: 't', description: 'd', input_schema: { type: 'object', additionalProperties: false } },
    ],
    mcp_servers: [{ type: 'url', name: 's', url: 'https://example.com/mcp' }],
    skills: [{ type: 'anthropic', skill_id: 'xlsx' }],
    multiagent: { type: 'coordinator', agents: [agent, { type: 'self' }, { type: 'advisor', model: 'm' }] },
    metadata: { k: 'v' },
    execution_identity: { type: 'aws_role', role_arn: 'arn' },
  });
  expectDescribed(agentObject, made.json);
  const subagents = { type: 'enabled', inline_agents: { type: 'enabled' }, predefined_agents: [agent] };
  const multiagent = { type: 'multiagent_20261001', subagents };
  expectDescribed(agentObject, (await api().send('POST', `/v1/agents/${made.json.id}`, { multiagent })).json);
});

test('a session in each of its states, its thread, and every event of its log', async () => {
  const lookUp = { type: 'custom', name: 'look_up', description: 'd', input_schema: { type: 'object' } };
  const ask = { type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } };
  const agent = await api().send('POST', '/v1/agents', { name: 'a', model: 'claude-opus-5-5', tools: [ask, lookUp] });
  const id = await makeSession(api(), { agent: agent.json.id });
  const path = `/v1/sessions/${id}`;
  const list = async () => (await get(api(), `${path}/events`)).data as { id: string; type: string }[];
  const ofType = async (type: string) => (await list()).filter((event) => event.type === type);
  const described = async () => {
    expectDescribed(sessionObject, await get(api(), path));
    for (const thread of (await get(api(), `${path}/threads`)).data) expectDescribed(threadObject, thread);
  };
  const send = async (...events: unknown[]) => {
    const reply = await api().send('POST', `${path}/events`, { events });
    expect(reply.status).toBe(200);
    for (const event of reply.json.data) expectDescribed(eventObject, event);
    await described();
  };
  const idle = (count: number) =>
    vi.waitUntil(async () => (await ofType('session.status_idle')).length >= count, { timeout: 20_000, interval: 50 });

  await described();
  await send(message('use bash'));
  await idle(1);
  const [one, two] = await ofType('agent.tool_use');
  const deny = { type: 'user.tool_confirmation', result: 'deny', deny_message: 'no' };
  await send({ ...deny, tool_use_id: one?.id }, { ...deny, tool_use_id: two?.id });
  await idle(2);
  await send(message('look it up'), { type: 'system.message', content: [{ type: 'text', text: 'be brief' }] });
  await idle(3);
  const [use] = await ofType('agent.custom_tool_use');
  const text = { type: 'text', text: 'found' };
  const found = { type: 'search_result', source: 's', title: 't', content: [text], citations: { enabled: true } };
  await send({ type: 'user.custom_tool_result', custom_tool_use_id: use?.id, content: [text, found] });
  await idle(4);
  await send(message('answer slowly'));
  await send({ type: 'user.interrupt' });
  await idle(5);
  const changed = await api().send('POST', path, { title: 't', metadata: { k: 'v' }, agent: { tools: [] } });
  expectDescribed(sessionObject, changed.json);
  expectDescribed(sessionObject, (await api().send('POST', `${path}/archive`)).json);
  await described();
  const events = await list();
  for (const event of events) expectDescribed(eventObject, event);
  expect(new Set(events.map((event) => event.type)).size).toBeGreaterThanOrEqual(18);
}, 60_000);
