/** `tools[]` of an agent: its schemas, its full resolution, and the rules that hold between its parts. */
import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents';
import { z } from '@hono/zod-openapi';
import { invalid } from './errors.ts';
import { domainList } from './web-domains.ts';

export type Tool = BetaManagedAgentsAgent['tools'][number];
type ToolConfig = Extract<Tool, { type: 'agent_toolset_20260401' }>['configs'][number];
type Policy = ToolConfig['permission_policy'];

/** Every built-in tool of the toolset; some are not run by Longhand yet, but all may be configured. */
const BUILTIN = ['bash', 'edit', 'read', 'write', 'glob', 'grep', 'web_fetch', 'web_search'];
const MAX_TOOLS = 256;

const policy = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('always_allow') }),
    z.strictObject({ type: z.literal('always_ask') }),
    z.strictObject({ type: z.literal('auto') }),
  ])
  .nullable()
  .optional();
const enabled = z.boolean().nullable().optional();
const usual = z.strictObject({ enabled, permission_policy: policy }).nullable().optional();
const plain = <N extends string>(name: N) =>
  z.strictObject({ name: z.literal(name), type: z.literal(name).optional(), enabled, permission_policy: policy });

const reference = z.strictObject({ type: z.literal('tool_reference'), name: z.string().min(1).max(128) });
const references = z.array(reference).min(1).max(128);
const shorthand = z.enum(['all', 'none']);
const whole = [z.strictObject({ type: z.literal('all') }), z.strictObject({ type: z.literal('none') })] as const;
const filter = z.union([
  shorthand,
  z.discriminatedUnion('type', [
    ...whole,
    z.strictObject({ type: z.literal('only'), tools: references }),
    z.strictObject({ type: z.literal('except'), tools: references }),
  ]),
]);
const urlSources = z
  .strictObject({
    user_input: z
      .union([shorthand, z.discriminatedUnion('type', [...whole])])
      .nullable()
      .optional(),
    client_tool_results: filter.nullable().optional(),
    server_tool_results: filter.nullable().optional(),
  })
  .nullable()
  .optional();

const webFetch = plain('web_fetch').extend({
  allowed_domains: domainList(false),
  blocked_domains: domainList(false),
  max_content_tokens: z.int().min(1).nullable().optional(),
  url_sources: urlSources,
});
const timezone = z.string().refine(isTimezone, 'Input is not an IANA time zone');
const webSearch = plain('web_search').extend({
  allowed_domains: domainList(true),
  blocked_domains: domainList(true),
  user_location: z
    .strictObject({
      type: z.literal('approximate'),
      city: z.string().min(1).max(255).nullable().optional(),
      region: z.string().min(1).max(255).nullable().optional(),
      country: z
        .string()
        .regex(/^[A-Z]{2}$/, 'Input is not an ISO 3166 code of two capital letters')
        .nullable()
        .optional(),
      timezone: timezone.nullable().optional(),
    })
    .nullable()
    .optional(),
});
const config = z.discriminatedUnion('name', [
  plain('bash'),
  plain('edit'),
  plain('read'),
  plain('write'),
  plain('glob'),
  plain('grep'),
  webFetch,
  webSearch,
]);

const toolset = z.strictObject({
  type: z.literal('agent_toolset_20260401'),
  configs: z.array(config).nullable().optional(),
  default_config: usual,
});
const mcpToolset = z.strictObject({
  type: z.literal('mcp_toolset'),
  mcp_server_name: z.string().min(1).max(255),
  configs: z
    .array(z.strictObject({ name: z.string().min(1).max(128), enabled, permission_policy: policy }))
    .nullable()
    .optional(),
  default_config: usual,
});
const customTool = z.strictObject({
  type: z.literal('custom'),
  name: z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'Input must be 1 to 128 letters, digits, underscores and hyphens'),
  description: z.string().min(1),
  input_schema: z.looseObject({
    type: z.literal('object'),
    properties: z.record(z.string(), z.unknown()).nullable().optional(),
    required: z.array(z.string()).nullable().optional(),
  }),
});

export const toolParams = z.discriminatedUnion('type', [toolset, mcpToolset, customTool]);
export const toolList = z.array(toolParams).max(MAX_TOOLS);
export type ToolParams = z.output<typeof toolParams>;

/**
 * Fills in everything that was left out.
 * @param at - path of the list, for messages. @throws ApiError 400 for rules that span several tools.
 */
export function resolveTools(list: ToolParams[], at = 'tools'): Tool[] {
  refuseDuplicates(list, at);
  for (const [index, tool] of list.entries()) {
    if (tool.type === 'custom') checkCustomTool(tool, `${at}.${index}`);
    if (tool.type === 'agent_toolset_20260401') checkWebTools(tool, list, `${at}.${index}`);
  }
  return list.map(resolveTool);
}

function resolveTool(tool: ToolParams): Tool {
  if (tool.type === 'custom') return tool as Tool;
  const policyOf = (given: Policy | null | undefined, otherwise: Policy) => given ?? otherwise;
  const isMcp = tool.type === 'mcp_toolset';
  const default_config = {
    enabled: tool.default_config?.enabled ?? true,
    permission_policy: policyOf(tool.default_config?.permission_policy, {
      type: isMcp ? 'always_ask' : 'always_allow',
    }),
  };
  const own = (entry: { enabled?: boolean | null; permission_policy?: Policy | null }) => ({
    enabled: entry.enabled ?? default_config.enabled,
    permission_policy: policyOf(entry.permission_policy, default_config.permission_policy),
  });
  if (isMcp) {
    const configs = (tool.configs ?? []).map((entry) => ({ name: entry.name, ...own(entry) }));
    return { type: tool.type, mcp_server_name: tool.mcp_server_name, default_config, configs };
  }
  const configs = (tool.configs ?? []).map((entry) => {
    const { enabled: _enabled, permission_policy: _policy, ...rest } = entry;
    const kept = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null && value !== undefined));
    const sources = entry.name === 'web_fetch' ? { url_sources: resolveSources(entry.url_sources) } : {};
    return { ...kept, type: entry.name, ...own(entry), ...sources } as ToolConfig;
  });
  return { type: tool.type, default_config, configs };
}

type Sources = z.output<typeof urlSources>;

function resolveSources(sources: Sources) {
  if (!sources) return null;
  const long = <T>(value: T | 'all' | 'none' | null | undefined) =>
    typeof value === 'string' ? { type: value } : (value ?? null);
  return {
    user_input: long(sources.user_input),
    client_tool_results: long(sources.client_tool_results),
    server_tool_results: long(sources.server_tool_results),
  };
}

function refuseDuplicates(list: ToolParams[], at: string): void {
  const seen = new Set<string>();
  let count = 0;
  for (const [index, tool] of list.entries()) {
    const name =
      tool.type === 'custom' ? tool.name : tool.type === 'mcp_toolset' ? `mcp ${tool.mcp_server_name}` : 'toolset';
    const field = tool.type === 'custom' ? 'name' : tool.type === 'mcp_toolset' ? 'mcp_server_name' : 'type';
    if (seen.has(name)) throw invalid(`${at}.${index}.${field}`, 'An earlier entry of the list has the same value');
    seen.add(name);
    count += tool.type === 'custom' ? 1 : tool.type === 'mcp_toolset' ? (tool.configs?.length ?? 0) : BUILTIN.length;
    if (tool.type === 'custom') continue;
    const configured = new Set<string>();
    for (const [number, entry] of (tool.configs ?? []).entries()) {
      if (configured.has(entry.name))
        throw invalid(`${at}.${index}.configs.${number}.name`, `"${entry.name}" is configured twice`);
      configured.add(entry.name);
    }
  }
  if (count > MAX_TOOLS)
    throw invalid(at, `At most ${MAX_TOOLS} tools are allowed across all toolsets; these are ${count}`);
}

function checkCustomTool(tool: Extract<ToolParams, { type: 'custom' }>, at: string): void {
  if (BUILTIN.includes(tool.name)) throw invalid(`${at}.name`, `"${tool.name}" is the name of a built-in tool`);
  if (tool.name.startsWith('mcp__')) throw invalid(`${at}.name`, 'Names that start with "mcp__" are reserved');
  const { input_schema } = tool;
  for (const keyword of ['oneOf', 'anyOf', 'allOf']) {
    if (keyword in input_schema)
      throw invalid(`${at}.input_schema.${keyword}`, 'Not allowed at the top of an input schema');
  }
  refuseReferences(input_schema, `${at}.input_schema`);
  for (const name of Object.keys(input_schema.properties ?? {})) {
    if (/^[A-Za-z0-9_.-]{1,64}$/.test(name)) continue;
    throw invalid(
      `${at}.input_schema.properties`,
      `${JSON.stringify(name.slice(0, 80))} must match [A-Za-z0-9_.-]{1,64}`,
    );
  }
}

function refuseReferences(node: unknown, at: string): void {
  if (node === null || typeof node !== 'object') return;
  for (const [key, value] of Object.entries(node)) {
    const isKeyword = !at.endsWith('.properties');
    if (isKeyword && ['$ref', '$dynamicRef', '$recursiveRef'].includes(key)) {
      throw invalid(`${at}.${key}`, 'References are not allowed in an input schema');
    }
    refuseReferences(value, `${at}.${key}`);
  }
}

function checkWebTools(
  tool: Extract<ToolParams, { type: 'agent_toolset_20260401' }>,
  list: ToolParams[],
  at: string,
): void {
  for (const [index, entry] of (tool.configs ?? []).entries()) {
    if (entry.name !== 'web_fetch' && entry.name !== 'web_search') continue;
    const path = `${at}.configs.${index}`;
    if (entry.allowed_domains && entry.blocked_domains)
      throw invalid(`${path}.blocked_domains`, 'Not together with allowed_domains');
    if (entry.name === 'web_fetch' && entry.url_sources) checkSources(entry.url_sources, list, `${path}.url_sources`);
  }
}

function checkSources(sources: NonNullable<Sources>, list: ToolParams[], at: string): void {
  const kind = (value: string | { type: string } | null | undefined) =>
    typeof value === 'string' ? value : value?.type;
  const { user_input, client_tool_results, server_tool_results } = sources;
  if ([user_input, client_tool_results, server_tool_results].every((value) => kind(value) === 'none')) {
    throw invalid(at, 'At least one source must not be "none"');
  }
  const custom = list.flatMap((tool) => (tool.type === 'custom' ? [tool.name] : []));
  const check = (value: typeof client_tool_results, known: string[], field: string) => {
    if (!value || typeof value === 'string' || !('tools' in value)) return;
    const seen = new Set<string>();
    for (const [index, { name }] of value.tools.entries()) {
      if (seen.has(name)) throw invalid(`${at}.${field}.tools.${index}.name`, `"${name}" is listed twice`);
      if (!known.includes(name))
        throw invalid(`${at}.${field}.tools.${index}.name`, `"${name}" is not such a tool of this agent`);
      seen.add(name);
    }
  };
  check(client_tool_results, custom, 'client_tool_results');
  check(server_tool_results, ['web_search', 'web_fetch'], 'server_tool_results');
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return name.includes('/') || name === 'UTC';
  } catch {
    return false;
  }
}
