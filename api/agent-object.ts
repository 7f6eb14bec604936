/** Agents as clients read them: every setting filled in. Schemas for `/openapi.json`; what is sent is held to them by tests. */
import { z } from '@hono/zod-openapi';
import type { Agent } from '../store/agents.ts';
import { id } from './common.ts';

/** RFC 3339, as every stamp of the API. */
export const time = z.iso.datetime();
export const metadataObject = z.record(z.string(), z.string());

const level = z.enum(['low', 'medium', 'high', 'xhigh', 'max']);
export const modelObject = z
  .object({
    id: z.string(),
    effort: z.object({ type: level }),
    speed: z.enum(['standard', 'fast']),
    inference_geo: z.enum(['us', 'global']).optional(),
  })
  .openapi('ModelConfig');

const settings = {
  enabled: z.boolean(),
  permission_policy: z.object({ type: z.enum(['always_allow', 'always_ask', 'auto']) }).openapi('PermissionPolicy'),
};
const defaultConfig = z.object(settings);
const named = <N extends string>(name: N) => ({ type: z.literal(name), name: z.literal(name), ...settings });
const domains = z.array(z.string()).optional();
const reference = z.object({ type: z.literal('tool_reference'), name: z.string() });
const whole = [z.object({ type: z.literal('all') }), z.object({ type: z.literal('none') })] as const;
const filter = z
  .discriminatedUnion('type', [
    ...whole,
    z.object({ type: z.literal('only'), tools: z.array(reference) }),
    z.object({ type: z.literal('except'), tools: z.array(reference) }),
  ])
  .nullable();
const webFetch = z.object({
  ...named('web_fetch'),
  allowed_domains: domains,
  blocked_domains: domains,
  max_content_tokens: z.int().min(1).optional(),
  url_sources: z
    .object({
      user_input: z.discriminatedUnion('type', [...whole]).nullable(),
      client_tool_results: filter,
      server_tool_results: filter,
    })
    .nullable(),
});
const place = z.string().nullable().optional();
const webSearch = z.object({
  ...named('web_search'),
  allowed_domains: domains,
  blocked_domains: domains,
  user_location: z
    .object({ type: z.literal('approximate'), city: place, region: place, country: place, timezone: place })
    .optional(),
});
const toolConfig = z
  .discriminatedUnion('name', [
    z.object(named('bash')),
    z.object(named('edit')),
    z.object(named('read')),
    z.object(named('write')),
    z.object(named('glob')),
    z.object(named('grep')),
    webFetch,
    webSearch,
  ])
  .openapi('ToolConfig');

const tool = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('agent_toolset_20260401'),
      default_config: defaultConfig,
      configs: z.array(toolConfig),
    }),
    z.object({
      type: z.literal('mcp_toolset'),
      mcp_server_name: z.string(),
      default_config: defaultConfig,
      configs: z.array(z.object({ name: z.string(), ...settings })),
    }),
    z.object({
      type: z.literal('custom'),
      name: z.string(),
      description: z.string(),
      input_schema: z.looseObject({ type: z.literal('object') }),
    }),
  ])
  .openapi('Tool');

const agentReference = z.object({ type: z.literal('agent'), id, version: z.int() });
const disabled = z.object({ type: z.literal('disabled') });
const enabled = z.object({ type: z.literal('enabled') });
const spawning = z.discriminatedUnion('type', [
  disabled,
  z.object({
    type: z.literal('enabled'),
    inline_agents: z.discriminatedUnion('type', [enabled, disabled]),
    predefined_agents: z.array(agentReference),
  }),
]);
const multiagent = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('coordinator'),
      agents: z.array(
        z.discriminatedUnion('type', [agentReference, z.object({ type: z.literal('advisor'), model: z.string() })]),
      ),
    }),
    z.object({
      type: z.literal('multiagent_20261001'),
      advisor: z.discriminatedUnion('type', [z.object({ type: z.literal('enabled'), model: z.string() }), disabled]),
      subagents: spawning,
      workflows: spawning,
    }),
  ])
  .openapi('Multiagent');

/** What an agent, and the snapshot of one in a session and in a thread, have in common. */
export const agentFields = {
  id,
  type: z.literal('agent'),
  version: z.int().min(1),
  name: z.string(),
  description: z.string().nullable(),
  model: modelObject,
  system: z.string().nullable(),
  tools: z.array(tool),
  mcp_servers: z.array(z.object({ type: z.literal('url'), name: z.string(), url: z.string() })),
  skills: z.array(z.object({ type: z.enum(['anthropic', 'custom']), skill_id: z.string(), version: z.string() })),
  execution_identity: z.discriminatedUnion('type', [
    z.object({ type: z.literal('service_account') }),
    z.object({ type: z.literal('aws_role'), role_arn: z.string() }),
  ]),
};

export const agentObject = z
  .object({
    ...agentFields,
    multiagent: multiagent.nullable(),
    metadata: metadataObject,
    created_at: time,
    updated_at: time,
    archived_at: time.nullable(),
  })
  .openapi('Agent') satisfies z.ZodType<Agent>;

/** Sessions refuse agents that have `multiagent` set. */
export const sessionAgentObject = z.object({ ...agentFields, multiagent: z.null() }).openapi('SessionAgent');
export const threadAgentObject = z.object(agentFields).openapi('SessionThreadAgent');
