/** The parts of an agent besides its tools: model, MCP servers, skills, identity; and what must hold between all of them. */
import { z } from '@hono/zod-openapi';
import type { ModelSpec } from '../harness/model-spec.ts';
import type { Agent } from '../store/agents.ts';
import type { ModelCatalogue } from './context.ts';
import { type ApiError, invalid } from './errors.ts';

export type ModelConfig = Agent['model'];
type Effort = NonNullable<ModelConfig['effort']>['type'];

const level = z.enum(['low', 'medium', 'high', 'xhigh', 'max']);
const modelId = z.string().min(1).max(256);
export const modelParams = z.union([
  modelId,
  z.strictObject({
    id: modelId,
    effort: z
      .union([level, z.strictObject({ type: level })])
      .nullable()
      .optional(),
    speed: z.enum(['standard', 'fast']).nullable().optional(),
    inference_geo: z.enum(['us', 'global']).nullable().optional(),
  }),
]);
export type ModelParams = z.output<typeof modelParams>;

export const systemText = z.string().max(100_000);
export const serverList = z
  .array(
    z.strictObject({
      type: z.literal('url'),
      name: z.string().min(1).max(255),
      url: z.url({ protocol: /^https?$/ }).max(2048),
    }),
  )
  .max(20);
const skillId = z.string().min(1).max(256);
const version = z.string().min(1).max(256).nullable().optional();
export const skillList = z
  .array(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('anthropic'), skill_id: skillId, version }),
      z.strictObject({ type: z.literal('custom'), skill_id: skillId, version }),
    ]),
  )
  .max(500);
export const identityParams = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('service_account') }),
  z.strictObject({ type: z.literal('aws_role'), role_arn: z.string().min(1).max(2048) }),
]);

/**
 * The whole model object, as it is stored and shown.
 * @param stored - the agent's present model: its effort stays when the id does and none is given.
 */
export function resolveModel(
  models: ModelCatalogue,
  params: ModelParams,
  stored?: ModelConfig,
  at = 'model',
): ModelConfig {
  const given = typeof params === 'string' ? { id: params } : params;
  const spec = models.find(given.id);
  const asked = typeof given.effort === 'string' ? given.effort : given.effort?.type;
  const kept = stored?.id === given.id ? stored.effort?.type : undefined;
  const effort = asked ?? kept ?? (spec.efforts[0] as Effort | undefined) ?? 'high';
  if (asked !== undefined) checkEffort(spec, asked, `${at}.effort`);
  if (given.speed === 'fast' && !spec.fast) throw invalid(`${at}.speed`, `${given.id} does not take speed "fast"`);
  return {
    id: given.id,
    effort: { type: effort },
    speed: given.speed ?? 'standard',
    ...(given.inference_geo ? { inference_geo: given.inference_geo } : {}),
  };
}

function checkEffort(spec: ModelSpec, effort: string, at: string): void {
  if (spec.efforts.includes(effort)) return;
  const known = spec.efforts.length > 0 ? `it takes ${spec.efforts.join(', ')}` : 'it takes none';
  throw invalid(at, `${spec.id} does not take effort "${effort}"; ${known}`);
}

export function resolveSkills(skills: z.output<typeof skillList>): Agent['skills'] {
  return skills.map((skill) => ({ ...skill, version: skill.version ?? 'latest' }));
}

/**
 * What must hold between the parts of a whole agent.
 * @param at - path prefix of the fields, such as `agent.`. @throws ApiError 400
 */
export function crossCheck(agent: Pick<Agent, 'tools' | 'mcp_servers' | 'skills'>, at = ''): void {
  const servers = agent.mcp_servers.map((server) => server.name);
  const fail = (field: string, message: string): ApiError => invalid(`${at}${field}`, message);
  for (const [index, name] of servers.entries()) {
    if (servers.indexOf(name) !== index) throw fail(`mcp_servers.${index}.name`, `"${name}" is used twice`);
  }
  const used = new Set<string>();
  for (const [index, tool] of agent.tools.entries()) {
    if (tool.type !== 'mcp_toolset') continue;
    used.add(tool.mcp_server_name);
    if (servers.includes(tool.mcp_server_name)) continue;
    throw fail(`tools.${index}.mcp_server_name`, `"${tool.mcp_server_name}" is not in mcp_servers`);
  }
  for (const [index, name] of servers.entries()) {
    if (!used.has(name)) throw fail(`mcp_servers.${index}.name`, `No mcp_toolset in tools refers to "${name}"`);
  }
  if (agent.skills.length > 0 && !readEnabled(agent.tools)) {
    throw fail('skills', 'Skills need the read tool of an agent_toolset_20260401 to be enabled');
  }
}

function readEnabled(tools: Agent['tools']): boolean {
  return tools.some(
    (tool) =>
      tool.type === 'agent_toolset_20260401' &&
      (tool.configs.find((config) => config.name === 'read')?.enabled ?? tool.default_config.enabled),
  );
}
