/** Sessions that cannot be made, and changes of sessions that cannot be. */
import { beforeAll, test } from 'vitest';
import { message, useApi } from './testing.ts';
import { type Case, makeOwned, refuse } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);
const server = { type: 'url', name: 's', url: 'https://example.com/mcp' };
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
const override = (more: object) => ({
  agent: { type: 'agent_with_overrides', id: 'AGENT', ...more },
  environment_id: 'ENV',
});

const cases: Case[] = [
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
    'agent.skills.0.skill_id: The anthropic skill "xlsx" is provided by the operator',
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
  ['an agent that is a number', '/v1/sessions', { agent: 7, environment_id: 'ENV' }, 'agent: '],
  ['an agent id with a space', '/v1/sessions', { agent: 'agent 1', environment_id: 'ENV' }, 'agent: '],
  ['an agent that is archived', '/v1/sessions', { agent: 'ARCHIVED', environment_id: 'ENV' }, 'agent: '],
  ['an environment that is archived', '/v1/sessions', { agent: 'AGENT', environment_id: 'OLD' }, 'environment_id: '],
  ['another workspace’s agent', '/v1/sessions', { agent: 'FOREIGN', environment_id: 'ENV' }, 'agent: Agent', 404],
  [
    'another workspace’s environment',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ABROAD' },
    'environment_id: Environment',
    404,
  ],
  [
    'an environment of 129 characters',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'e'.repeat(129) },
    'environment_id: ',
  ],
  [
    'a version that is a string',
    '/v1/sessions',
    { agent: { type: 'agent', id: 'AGENT', version: '1' }, environment_id: 'ENV' },
    'agent.version: ',
  ],
  [
    'an unknown form of agent',
    '/v1/sessions',
    { agent: { type: 'inline', name: 'x' }, environment_id: 'ENV' },
    'agent.type: ',
  ],
  [
    'a title of 1001 characters',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', title: 't'.repeat(1001) },
    'title: ',
  ],
  [
    'a title that is a number',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', title: 1 },
    'title: Expected string',
  ],
  [
    'a title with half a surrogate pair',
    '/v1/sessions/SESSION',
    '{"title":"\\udc00"}',
    'title: U+0000 and lone surrogates',
  ],
  [
    '17 metadata keys',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', metadata: many(17) },
    'metadata: At most 16 keys',
  ],
  [
    'a metadata value with U+0000',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', metadata: { k: '\0' } },
    'metadata.k: U+0000',
  ],
  [
    'first events that are an object',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', initial_events: {} },
    'initial_events: Expected array',
  ],
  [
    'a first event that is a system message',
    '/v1/sessions',
    {
      agent: 'AGENT',
      environment_id: 'ENV',
      initial_events: [{ type: 'system.message', content: [{ type: 'text', text: 'x' }] }],
    },
    'initial_events.0.type: ',
  ],
  [
    'the second first event is wrong',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', initial_events: [message('x'), { type: 'user.message', content: [] }] },
    'initial_events.1.content: ',
  ],
  [
    'an override with an unknown effort',
    '/v1/sessions',
    override({ model: { id: 'claude-haiku-4-5', effort: 'high' } }),
    'agent.model.effort: ',
  ],
  [
    'an override with two toolsets',
    '/v1/sessions',
    override({ tools: [{ type: 'agent_toolset_20260401' }, { type: 'agent_toolset_20260401' }] }),
    'agent.tools.1.type: ',
  ],
  ['an override with a long prompt', '/v1/sessions', override({ system: 's'.repeat(100_001) }), 'agent.system: '],
  [
    'a status of the client’s own',
    '/v1/sessions',
    { agent: 'AGENT', environment_id: 'ENV', status: 'running' },
    'status: Extra inputs',
  ],
  ['a patch that leads to 17 keys', '/v1/sessions/SESSION', { metadata: many(17) }, 'metadata: At most 16 keys'],
  ['a patch with a number', '/v1/sessions/SESSION', { metadata: { k: 1 } }, 'metadata.k: Expected string'],
  ['tools that are a string', '/v1/sessions/SESSION', { agent: { tools: 'bash' } }, 'agent.tools: Expected array'],
];

test.each(cases)('%s', async (...one) => {
  await refuse(api(), one, ids);
});
