/** Agents whose servers, skills, roster or identity are wrong. */
import { beforeAll, test } from 'vitest';
import { useApi } from './testing.ts';
import { type Case, makeOwned, refuse } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);
const server = { type: 'url', name: 's', url: 'https://example.com/mcp' };
const tools = (...list: unknown[]) => ({ name: 'a', model: 'm', tools: list });
const roster = (...list: unknown[]) => ({ name: 'a', model: 'm', multiagent: { type: 'coordinator', agents: list } });

const cases: Case[] = [
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
  [
    '21 servers',
    '/v1/agents',
    { name: 'a', model: 'm', mcp_servers: Array.from({ length: 21 }, () => server) },
    'mcp_servers: ',
  ],
  [
    'two servers of one name',
    '/v1/agents',
    { name: 'a', model: 'm', mcp_servers: [server, server], tools: [{ type: 'mcp_toolset', mcp_server_name: 's' }] },
    'mcp_servers.1.name: ',
  ],
  [
    'a server URL that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', mcp_servers: [{ ...server, url: `https://a.com/${'x'.repeat(2048)}` }] },
    'mcp_servers.0.url: ',
  ],
  [
    'a server name that is too long',
    '/v1/agents',
    { name: 'a', model: 'm', mcp_servers: [{ ...server, name: 'n'.repeat(256) }] },
    'mcp_servers.0.name: ',
  ],
  [
    'an unknown kind of server',
    '/v1/agents',
    { name: 'a', model: 'm', mcp_servers: [{ ...server, type: 'stdio' }] },
    'mcp_servers.0.type: ',
  ],
  [
    '501 skills',
    '/v1/agents',
    { name: 'a', model: 'm', skills: Array.from({ length: 501 }, () => ({ type: 'anthropic', skill_id: 'x' })) },
    'skills: ',
  ],
  [
    'a skill without id',
    '/v1/agents',
    { name: 'a', model: 'm', skills: [{ type: 'custom' }] },
    'skills.0.skill_id: Field required',
  ],
  ['an empty roster', '/v1/agents', roster(), 'multiagent.agents: '],
  ['a roster of 21', '/v1/agents', roster(...Array.from({ length: 21 }, () => 'AGENT')), 'multiagent.agents: '],
  ['an agent that is twice in a roster', '/v1/agents', roster('AGENT', 'AGENT'), 'multiagent.agents.1: '],
  ['another workspace’s agent in a roster', '/v1/agents', roster('FOREIGN'), 'multiagent.agents.0: Agent'],
  [
    'a version that a roster’s agent does not have',
    '/v1/agents',
    roster({ type: 'agent', id: 'AGENT', version: 99 }),
    'multiagent.agents.0.version: ',
  ],
  [
    'an unknown kind of multiagent',
    '/v1/agents',
    { name: 'a', model: 'm', multiagent: { type: 'swarm' } },
    'multiagent.type: ',
  ],
  [
    'a role without a name',
    '/v1/agents',
    { name: 'a', model: 'm', execution_identity: { type: 'aws_role' } },
    'execution_identity.role_arn: Field required',
  ],
];

test.each(cases)('%s', async (...one) => {
  await refuse(api(), one, ids);
});
