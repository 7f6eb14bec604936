/** Requests that are wrong: the right status and type, a message that names the field, and nothing stored. */
import { beforeAll, describe, expect, test } from 'vitest';
import { makeParts, message, useApi } from './testing.ts';
import { makeStored } from './testing-log.ts';

const api = useApi();
let agent = '';
let environment = '';
let session = '';

beforeAll(async () => {
  ({ agent, environment } = await makeParts(api()));
  session = (await makeStored(api())).id;
});

/** Name, path, body, what the message must hold, and the status where it is not 400. */
type Case = [name: string, path: string, body: unknown, field: string | RegExp, status?: number];

const tools = (...list: unknown[]) => ({ name: 'a', model: 'm', tools: list });
const configs = (...list: unknown[]) => tools({ type: 'agent_toolset_20260401', configs: list });
const custom = (more: object) =>
  tools({ type: 'custom', name: 't', description: 'd', input_schema: { type: 'object' }, ...more });
const web = (name: string, more: object) => configs({ name, ...more });
const events = (...list: unknown[]) => ({ events: list });
const said = (...content: unknown[]) => events({ type: 'user.message', content });
const server = { type: 'url', name: 's', url: 'https://example.com/mcp' };
const toolset = { type: 'agent_toolset_20260401' };
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));

const agents: Case[] = [
  ['no body at all', '/v1/agents', undefined, 'name: Field required'],
  ['not JSON', '/v1/agents', '{"name": ', /not valid JSON/],
  ['a list instead of an object', '/v1/agents', '[]', /must be a JSON object/],
  ['text that is not UTF-8 would be', '/v1/agents', '"x"', /must be a JSON object/],
  ['nesting without end', '/v1/agents', `{"name":${'['.repeat(5000)}${']'.repeat(5000)}}`, /Nested deeper/],
  [
    'a key that reaches prototypes',
    '/v1/agents',
    '{"name":"a","model":"m","metadata":{"__proto__":"x"}}',
    'metadata.__proto__',
  ],
  ['no name', '/v1/agents', { model: 'm' }, 'name: Field required'],
  ['no model', '/v1/agents', { name: 'a' }, 'model: '],
  ['an empty name', '/v1/agents', { name: '', model: 'm' }, 'name: '],
  ['a name that is too long', '/v1/agents', { name: 'n'.repeat(257), model: 'm' }, 'name: '],
  ['a name that is a number', '/v1/agents', { name: 7, model: 'm' }, 'name: Expected string'],
  [
    'an unknown field',
    '/v1/agents',
    { name: 'a', model: 'm', temperature: 1 },
    'temperature: Extra inputs are not permitted',
  ],
  [
    'an unknown field inside',
    '/v1/agents',
    { name: 'a', model: { id: 'm', top_p: 1 } },
    'model.top_p: Extra inputs are not permitted',
  ],
  [
    'a system prompt that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', system: 's'.repeat(100_001) },
    'system: ',
  ],
  [
    'a description that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', description: 's'.repeat(2049) },
    'description: ',
  ],
  ['too many metadata keys', '/v1/agents', { name: 'a', model: 'm', metadata: many(17) }, 'metadata: '],
  ['a metadata value that is a number', '/v1/agents', { name: 'a', model: 'm', metadata: { k: 1 } }, 'metadata.k: '],
  [
    'a metadata value that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', metadata: { k: 'v'.repeat(513) } },
    'metadata.k: ',
  ],
  [
    'a metadata key that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', metadata: { ['k'.repeat(65)]: 'v' } },
    'metadata.',
  ],
  ['an unknown effort', '/v1/agents', { name: 'a', model: { id: 'm', effort: 'extreme' } }, 'model.effort'],
  [
    'an effort that the model does not take',
    '/v1/agents',
    { name: 'a', model: { id: 'claude-haiku-4-5', effort: 'high' } },
    'model.effort: ',
  ],
  [
    'a speed that the model does not take',
    '/v1/agents',
    { name: 'a', model: { id: 'claude-sonnet-5-5', speed: 'fast' } },
    'model.speed: ',
  ],
  [
    'an unknown region',
    '/v1/agents',
    { name: 'a', model: { id: 'm', inference_geo: 'mars' } },
    'model.inference_geo: ',
  ],
  ['an unknown kind of tool', '/v1/agents', tools({ type: 'bash_20250124' }), 'tools.0.type: '],
  ['two toolsets', '/v1/agents', tools(toolset, toolset), 'tools.1.type: '],
  ['an unknown built-in tool', '/v1/agents', configs({ name: 'browser' }), 'tools.0.configs.0.name: '],
  [
    'a tool that is configured twice',
    '/v1/agents',
    configs({ name: 'bash' }, { name: 'bash' }),
    'tools.0.configs.1.name: ',
  ],
  ['a type that is not the name', '/v1/agents', configs({ name: 'bash', type: 'read' }), 'tools.0.configs.0.type: '],
  [
    'an unknown policy',
    '/v1/agents',
    configs({ name: 'bash', permission_policy: { type: 'never' } }),
    'tools.0.configs.0.permission_policy.type: ',
  ],
  ['a custom tool without description', '/v1/agents', custom({ description: '' }), 'tools.0.description: '],
  ['a custom tool with spaces in its name', '/v1/agents', custom({ name: 'a b' }), 'tools.0.name: '],
  ['a custom tool called bash', '/v1/agents', custom({ name: 'bash' }), 'tools.0.name: '],
  ['a custom tool called mcp__x', '/v1/agents', custom({ name: 'mcp__x' }), 'tools.0.name: '],
  [
    'a schema that is no object',
    '/v1/agents',
    custom({ input_schema: { type: 'string' } }),
    'tools.0.input_schema.type: ',
  ],
  [
    'a schema with a reference',
    '/v1/agents',
    custom({ input_schema: { type: 'object', properties: { a: { $ref: '#' } } } }),
    'tools.0.input_schema.properties.a.$ref: ',
  ],
  [
    'a schema with anyOf at the top',
    '/v1/agents',
    custom({ input_schema: { type: 'object', anyOf: [] } }),
    'tools.0.input_schema.anyOf: ',
  ],
  [
    'a property with spaces',
    '/v1/agents',
    custom({ input_schema: { type: 'object', properties: { 'a b': {} } } }),
    'tools.0.input_schema.properties: ',
  ],
  [
    'both lists of domains',
    '/v1/agents',
    web('web_search', { allowed_domains: ['a.com'], blocked_domains: ['b.com'] }),
    'tools.0.configs.0.blocked_domains: ',
  ],
  [
    'an empty list of domains',
    '/v1/agents',
    web('web_fetch', { allowed_domains: [] }),
    'tools.0.configs.0.allowed_domains: ',
  ],
  [
    'a domain with a scheme',
    '/v1/agents',
    web('web_fetch', { allowed_domains: ['https://a.com'] }),
    'tools.0.configs.0.allowed_domains.0: ',
  ],
  [
    'a path where none may be',
    '/v1/agents',
    web('web_fetch', { allowed_domains: ['a.com/x'] }),
    'tools.0.configs.0.allowed_domains.0: ',
  ],
  [
    'an IP address',
    '/v1/agents',
    web('web_search', { blocked_domains: ['127.0.0.1'] }),
    'tools.0.configs.0.blocked_domains.0: ',
  ],
  [
    'a country in small letters',
    '/v1/agents',
    web('web_search', { user_location: { type: 'approximate', country: 'de' } }),
    'tools.0.configs.0.user_location.country: ',
  ],
  [
    'no source at all',
    '/v1/agents',
    web('web_fetch', { url_sources: { user_input: 'none', client_tool_results: 'none', server_tool_results: 'none' } }),
    'tools.0.configs.0.url_sources: ',
  ],
  [
    'a server that no tool uses',
    '/v1/agents',
    { name: 'a', model: 'm', mcp_servers: [server] },
    'mcp_servers.0.name: ',
  ],
  [
    'a toolset of an unknown server',
    '/v1/agents',
    tools({ type: 'mcp_toolset', mcp_server_name: 's' }),
    'tools.0.mcp_server_name: ',
  ],
  [
    'a server that is not at a URL',
    '/v1/agents',
    { name: 'a', model: 'm', mcp_servers: [{ ...server, url: 'file:///x' }] },
    'mcp_servers.0.url: ',
  ],
  [
    'skills without the read tool',
    '/v1/agents',
    { name: 'a', model: 'm', skills: [{ type: 'anthropic', skill_id: 'xlsx' }] },
    'skills: ',
  ],
  [
    'an unknown agent in a roster',
    '/v1/agents',
    { name: 'a', model: 'm', multiagent: { type: 'coordinator', agents: ['agent_none'] } },
    'multiagent.agents.0: ',
  ],
  [
    'an unknown identity',
    '/v1/agents',
    { name: 'a', model: 'm', execution_identity: { type: 'root' } },
    'execution_identity.type: ',
  ],
];

const environments: Case[] = [
  ['no name', '/v1/environments', {}, 'name: Field required'],
  ['an unknown kind', '/v1/environments', { name: 'e', config: { type: 'local' } }, 'config.type: '],
  [
    'a host with a scheme',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', networking: { type: 'limited', allowed_hosts: ['https://a.com'] } } },
    'config.networking.allowed_hosts.0: ',
  ],
  [
    'packages without the way to them',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', networking: { type: 'limited' }, packages: { pip: ['x'] } } },
    'config.networking.allow_package_managers: ',
  ],
  [
    'an unknown package manager',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', packages: { brew: [] } } },
    'config.packages.brew: ',
  ],
  [
    'networking of a self-hosted one',
    '/v1/environments',
    { name: 'e', config: { type: 'self_hosted', networking: {} } },
    'config.networking: ',
  ],
  ['the account scope', '/v1/environments', { name: 'e', scope: 'account' }, 'scope: '],
];

const sessions: Case[] = [
  ['no agent', '/v1/sessions', { environment_id: 'ENV' }, 'agent: '],
  ['no environment', '/v1/sessions', { agent: 'AGENT' }, 'environment_id: Field required'],
  ['an unknown agent', '/v1/sessions', { agent: 'agent_none', environment_id: 'ENV' }, 'agent', 404],
  [
    'an unknown version',
    '/v1/sessions',
    { agent: { type: 'agent', id: 'AGENT', version: 9 }, environment_id: 'ENV' },
    'agent.version',
    404,
  ],
  ['an unknown environment', '/v1/sessions', { agent: 'AGENT', environment_id: 'env_none' }, 'environment_id', 404],
  [
    'resources',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', resources: [{ type: 'file', file_id: 'file_1' }] },
    'resources.0.file_id: File file_1 was not found',
    404,
  ],
  ['vaults', '/v1/sessions', { agent: 'AGENT', environment_id: 'ENV', vault_ids: ['vlt_1'] }, 'vault_ids: '],
  [
    'a budget',
    '/v1/sessions',
    {
      agent: 'AGENT',
      environment_id: 'ENV',
      budget: { type: 'limit', max_list_cost: { amount: '1', currency: 'USD' } },
    },
    'budget: ',
  ],
  ['a title with U+0000', '/v1/sessions', { agent: 'AGENT', environment_id: 'ENV', title: 'a\0b' }, 'title: '],
  [
    'a first event that is none',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', initial_events: [{ type: 'user.interrupt' }] },
    'initial_events.0.type: ',
  ],
  [
    'a first outcome',
    '/v1/sessions',
    {
      agent: 'AGENT',
      environment_id: 'ENV',
      initial_events: [{ type: 'user.define_outcome', description: 'd', rubric: { type: 'text', content: 'r' } }],
    },
    'initial_events.0.type: ',
  ],
  [
    'fifty-one first events',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', initial_events: Array.from({ length: 51 }, () => message('x')) },
    'initial_events: ',
  ],
  [
    'a model that is taken away',
    '/v1/sessions',
    { agent: { type: 'agent_with_overrides', id: 'AGENT', model: null }, environment_id: 'ENV' },
    'agent.model: ',
  ],
  [
    'MCP servers',
    '/v1/sessions',
    {
      agent: {
        type: 'agent_with_overrides',
        id: 'AGENT',
        mcp_servers: [server],
        tools: [{ type: 'mcp_toolset', mcp_server_name: 's' }],
      },
      environment_id: 'ENV',
    },
    'agent.mcp_servers: ',
  ],
  [
    'skills',
    '/v1/sessions',
    {
      agent: { type: 'agent_with_overrides', id: 'AGENT', skills: [{ type: 'anthropic', skill_id: 'xlsx' }] },
      environment_id: 'ENV',
    },
    'agent.skills.0.skill_id: The anthropic skill "xlsx" is provided by the operator of this Longhand: set LONGHAND_SKILLS_DIR',
  ],
  [
    'a custom skill that is not there',
    '/v1/sessions',
    {
      agent: { type: 'agent_with_overrides', id: 'AGENT', skills: [{ type: 'custom', skill_id: 'skill_none' }] },
      environment_id: 'ENV',
    },
    'agent.skills.0.skill_id: Skill skill_none was not found',
  ],
  [
    'skills without tools',
    '/v1/sessions',
    {
      agent: { type: 'agent_with_overrides', id: 'AGENT', tools: [], skills: [{ type: 'anthropic', skill_id: 'x' }] },
      environment_id: 'ENV',
    },
    'agent.skills: ',
  ],
  [
    'an override of what cannot be',
    '/v1/sessions',
    { agent: { type: 'agent_with_overrides', id: 'AGENT', name: 'x' }, environment_id: 'ENV' },
    'agent.name: ',
  ],
  ['a change of the vaults', '/v1/sessions/SESSION', { vault_ids: [] }, 'vault_ids: '],
  ['a later budget', '/v1/sessions/SESSION', { budget: { type: 'limit' } }, 'budget: '],
  ['a change of the system prompt', '/v1/sessions/SESSION', { agent: { system: 'x' } }, 'agent.system: '],
  ['a change of the status', '/v1/sessions/SESSION', { status: 'idle' }, 'status: '],
];

const sent: Case[] = [
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
  ['an empty text', '/v1/sessions/SESSION/events', said({ type: 'text', text: '' }), 'events.0.content.0.text: '],
  [
    'the second event is wrong',
    '/v1/sessions/SESSION/events',
    events(message('fine'), { type: 'user.message' }),
    'events.1.content: ',
  ],
  ['a redacted block', '/v1/sessions/SESSION/events', said({ type: 'redacted' }), 'events.0.content.0.type: '],
  [
    'a picture of an unknown kind',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'base64', media_type: 'image/tiff', data: 'AAAA' } }),
    'events.0.content.0.source.media_type: ',
  ],
  [
    'a picture that is not base64',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'A*==' } }),
    'events.0.content.0.source.data: ',
  ],
  [
    'a picture from a file',
    '/v1/sessions/SESSION/events',
    said({ type: 'image', source: { type: 'file', file_id: 'file_1' } }),
    'events.0.content.0.source.file_id: File file_1 was not found',
    404,
  ],
  [
    'a document that is no PDF',
    '/v1/sessions/SESSION/events',
    said({ type: 'document', source: { type: 'base64', media_type: 'application/msword', data: 'AAAA' } }),
    'events.0.content.0.source.media_type: ',
  ],
  [
    'an id of the client’s own',
    '/v1/sessions/SESSION/events',
    events({ ...message('x'), id: 'sevt_1' }),
    'events.0.id: ',
  ],
  [
    'an outcome',
    '/v1/sessions/SESSION/events',
    events({ type: 'user.define_outcome', description: 'd', rubric: { type: 'text', content: 'r' } }),
    'events.0.type: ',
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
];

const ofPath = (path: string) => path.replace('SESSION', session);
const filled = (body: unknown) =>
  body === undefined || typeof body === 'string'
    ? body
    : JSON.parse(JSON.stringify(body).replaceAll('"AGENT"', `"${agent}"`).replaceAll('"ENV"', `"${environment}"`));

async function stored(): Promise<string> {
  const result = await api().database.pool.query(
    `select (select count(*) from agents) a, (select count(*) from agent_versions) v, (select count(*) from environments) e,
       (select count(*) from sessions) s, (select count(*) from log_entries) l, (select count(*) from idempotency where status is null and delivered_at is null) i`,
  );
  return JSON.stringify(result.rows[0]);
}

describe.each([
  ['agents', agents],
  ['environments', environments],
  ['sessions', sessions],
  ['events', sent],
])('a malformed request about %s', (_room, cases) => {
  test.each(cases)('%s', async (_name, path, body, field, status = 400) => {
    const before = await stored();
    const reply = await api().send('POST', ofPath(path), filled(body));
    expect([reply.status, reply.json.error?.message]).toEqual([status, expect.stringMatching(pattern(field))]);
    expect(reply.json).toMatchObject({
      type: 'error',
      error: { type: status === 404 ? 'not_found_error' : 'invalid_request_error' },
      request_id: reply.headers.get('request-id'),
    });
    expect(await stored()).toBe(before);
  });
});

function pattern(field: string | RegExp): RegExp {
  return typeof field === 'string' ? new RegExp(`^${field.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`) : field;
}

test.each([
  ['/v1/agents?limit=0', 'limit: '],
  ['/v1/agents?limit=101', 'limit: '],
  ['/v1/agents?limit=ten', 'limit: '],
  ['/v1/agents?page=xyz', 'page: '],
  ['/v1/agents?colour=red', 'colour: Extra inputs are not permitted'],
  ['/v1/agents?limit=1&limit=2', 'limit: '],
  ['/v1/agents?created_at[gte]=yesterday', 'created_at[gte]: '],
  ['/v1/agents?include_archived=yes', 'include_archived: '],
  ['/v1/agents/AGENT?version=0', 'version: '],
  ['/v1/sessions?statuses[]=asleep', 'statuses.0: '],
  ['/v1/sessions?agent_version=1', 'agent_version: '],
  ['/v1/sessions?order=up', 'order: '],
  ['/v1/sessions/SESSION/events?types[]=user.shout', 'types.0: '],
  ['/v1/sessions/SESSION/events?limit=1001', 'limit: '],
  ['/v1/sessions/SESSION/events/stream?event_deltas[]=agent.tool_use', 'event_deltas.0: '],
  ['/v1/sessions/SESSION/events/stream?from=-1', 'from: '],
])('a malformed query %s', async (path, field) => {
  const reply = await api().send('GET', ofPath(path).replace('AGENT', agent));
  expect([reply.status, reply.json.error?.message]).toEqual([400, expect.stringMatching(pattern(field))]);
});

test.each([
  '/v1/agents/agent_none',
  '/v1/agents/%00',
  '/v1/agents/%2e%2e',
  '/v1/environments/env_none',
  '/v1/sessions/sesn_none',
  '/v1/sessions/sesn_none/events',
  '/v1/sessions/sesn_none/events/stream',
  '/v1/sessions/SESSION/threads/sthr_none',
  '/v1/sessions/SESSION/resources/sesrsc_none',
  '/v1/vaults',
  '/v1/files/file_none',
  '/v1/skills/skill_none',
  '/v1/skills/skill_none/versions/latest',
  '/v1/nothing',
  '/elsewhere',
])('what is not there is not found: %s', async (path) => {
  const reply = await api().send('GET', ofPath(path));
  expect([reply.status, reply.json.error.type]).toEqual([404, 'not_found_error']);
});
