/** Agents whose tools are wrong. */
import { beforeAll, test } from 'vitest';
import { useApi } from './testing.ts';
import { type Case, makeOwned, refuse } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);
const tools = (...list: unknown[]) => ({ name: 'a', model: 'm', tools: list });
const configs = (...list: unknown[]) => tools({ type: 'agent_toolset_20260401', configs: list });
const custom = (more: object) =>
  tools({ type: 'custom', name: 't', description: 'd', input_schema: { type: 'object' }, ...more });
const web = (name: string, more: object) => configs({ name, ...more });
const toolset = { type: 'agent_toolset_20260401' };

const cases: Case[] = [
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
  ['tools that are an object', '/v1/agents', { name: 'a', model: 'm', tools: {} }, 'tools: Expected array'],
  ['a tool that is null', '/v1/agents', tools(null), 'tools.0: '],
  ['a tool without type', '/v1/agents', tools({ name: 't' }), 'tools.0.type: '],
  [
    '257 tools',
    '/v1/agents',
    tools(
      ...Array.from({ length: 257 }, (_, i) => ({
        type: 'custom',
        name: `t${i}`,
        description: 'd',
        input_schema: { type: 'object' },
      })),
    ),
    'tools: ',
  ],
  [
    '250 tools and a toolset of eight',
    '/v1/agents',
    tools(
      toolset,
      ...Array.from({ length: 250 }, (_, i) => ({
        type: 'custom',
        name: `t${i}`,
        description: 'd',
        input_schema: { type: 'object' },
      })),
    ),
    'tools: At most 256',
  ],
  [
    'two custom tools of one name',
    '/v1/agents',
    tools(
      { type: 'custom', name: 't', description: 'd', input_schema: { type: 'object' } },
      { type: 'custom', name: 't', description: 'e', input_schema: { type: 'object' } },
    ),
    'tools.1.name: ',
  ],
  ['a custom tool name of 129 characters', '/v1/agents', custom({ name: 't'.repeat(129) }), 'tools.0.name: '],
  [
    'a custom tool without schema',
    '/v1/agents',
    custom({ input_schema: undefined }),
    'tools.0.input_schema: Field required',
  ],
  ['a schema that is null', '/v1/agents', custom({ input_schema: null }), 'tools.0.input_schema: Expected'],
  [
    'properties that are a list',
    '/v1/agents',
    custom({ input_schema: { type: 'object', properties: ['a'] } }),
    'tools.0.input_schema.properties: ',
  ],
  [
    'required that is a string',
    '/v1/agents',
    custom({ input_schema: { type: 'object', required: 'a' } }),
    'tools.0.input_schema.required: ',
  ],
  [
    'a reference deep inside',
    '/v1/agents',
    custom({ input_schema: { type: 'object', properties: { a: { items: { $dynamicRef: '#x' } } } } }),
    'tools.0.input_schema.properties.a.items.$dynamicRef: ',
  ],
  [
    '__proto__ as a property',
    '/v1/agents',
    '{"name":"a","model":"m","tools":[{"type":"custom","name":"t","description":"d","input_schema":{"type":"object","properties":{"__proto__":{}}}}]}',
    'tools.0.input_schema.properties.__proto__: ',
  ],
  [
    'a policy for a custom tool',
    '/v1/agents',
    custom({ permission_policy: { type: 'always_ask' } }),
    'tools.0.permission_policy: Extra inputs',
  ],
  [
    'enabled that is a word',
    '/v1/agents',
    configs({ name: 'bash', enabled: 'yes' }),
    'tools.0.configs.0.enabled: Expected boolean',
  ],
  [
    'a policy without type',
    '/v1/agents',
    configs({ name: 'bash', permission_policy: {} }),
    'tools.0.configs.0.permission_policy.type: ',
  ],
  [
    '65 domains',
    '/v1/agents',
    web('web_fetch', { allowed_domains: Array.from({ length: 65 }, (_, i) => `a${i}.com`) }),
    'tools.0.configs.0.allowed_domains: ',
  ],
  [
    'a domain twice',
    '/v1/agents',
    web('web_fetch', { allowed_domains: ['a.com', 'A.com/'] }),
    'tools.0.configs.0.allowed_domains.1: ',
  ],
  [
    'a wildcard',
    '/v1/agents',
    web('web_fetch', { blocked_domains: ['*.a.com'] }),
    'tools.0.configs.0.blocked_domains.0: ',
  ],
  [
    'a port',
    '/v1/agents',
    web('web_fetch', { blocked_domains: ['a.com:80'] }),
    'tools.0.configs.0.blocked_domains.0: ',
  ],
  [
    'a reserved name',
    '/v1/agents',
    web('web_fetch', { allowed_domains: ['x.internal'] }),
    'tools.0.configs.0.allowed_domains.0: ',
  ],
  [
    'letters that are not ASCII',
    '/v1/agents',
    web('web_fetch', { allowed_domains: ['bücher.de'] }),
    'tools.0.configs.0.allowed_domains.0: ',
  ],
  ['no tokens', '/v1/agents', web('web_fetch', { max_content_tokens: 0 }), 'tools.0.configs.0.max_content_tokens: '],
  [
    'a time zone that is none',
    '/v1/agents',
    web('web_search', { user_location: { type: 'approximate', timezone: 'Mars/Base' } }),
    'tools.0.configs.0.user_location.timezone: ',
  ],
  [
    'a source that is no tool',
    '/v1/agents',
    web('web_fetch', {
      url_sources: { client_tool_results: { type: 'only', tools: [{ type: 'tool_reference', name: 'x' }] } },
    }),
    'tools.0.configs.0.url_sources.client_tool_results.tools.0.name: ',
  ],
  [
    'domains of bash',
    '/v1/agents',
    configs({ name: 'bash', allowed_domains: ['a.com'] }),
    'tools.0.configs.0.allowed_domains: Extra inputs',
  ],
];

test.each(cases)('%s', async (...one) => {
  await refuse(api(), one, ids);
});
