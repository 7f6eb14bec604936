/** The agent that a session runs with: the stored one, with what the session overrides. */
import { z } from '@hono/zod-openapi';
import type { SessionAgent } from '../events/wire.ts';
import { type Agent, findAgent, findAgentVersion } from '../store/agents.ts';
import type { Queries } from '../store/database.ts';
import {
  crossCheck,
  modelParams,
  resolveModel,
  resolveSkills,
  serverList,
  skillList,
  systemText,
} from './agent-config.ts';
import { id } from './common.ts';
import type { ModelCatalogue } from './context.ts';
import { invalid, notFound, notYet } from './errors.ts';
import { resolveTools, toolList } from './tools.ts';

const version = z.int().min(1).optional();
export const sessionAgentParams = z.union([
  id,
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('agent'), id, version }),
    z.strictObject({
      type: z.literal('agent_with_overrides'),
      id,
      version,
      model: modelParams.nullable().optional(),
      system: systemText.nullable().optional(),
      tools: toolList.nullable().optional(),
      mcp_servers: serverList.nullable().optional(),
      skills: skillList.nullable().optional(),
    }),
  ]),
]);
export type SessionAgentParams = z.output<typeof sessionAgentParams>;

/** @throws ApiError 404 for an unknown agent, 400 for one that no session can have. */
export async function resolveSessionAgent(
  db: Queries,
  workspaceId: string,
  models: ModelCatalogue,
  params: SessionAgentParams,
): Promise<SessionAgent> {
  const wanted = typeof params === 'string' ? { type: 'agent' as const, id: params } : params;
  const newest = await findAgent(db, workspaceId, wanted.id);
  if (!newest) throw notFound('agent: Agent', wanted.id);
  if (newest.archived_at !== null) throw invalid('agent', `Agent ${newest.id} is archived; no new session can use it`);
  const { version: number } = wanted;
  const agent = number === undefined ? newest : await findAgentVersion(db, workspaceId, newest.id, number);
  if (!agent) throw notFound('agent.version: Agent', `${newest.id} version ${number}`);
  const snapshot =
    wanted.type === 'agent_with_overrides' ? override(toSnapshot(agent), wanted, models) : toSnapshot(agent);
  crossCheck(snapshot, 'agent.');
  refuseUnenforcedAgent(snapshot);
  return snapshot;
}

function toSnapshot(agent: Agent): SessionAgent {
  const { id: agentId, type, version: number, name, description, model, system } = agent;
  const { tools, mcp_servers, skills, execution_identity, multiagent } = agent;
  return {
    id: agentId,
    type,
    version: number,
    name,
    description,
    model,
    system,
    tools,
    mcp_servers,
    skills,
    execution_identity,
    // Sessions refuse agents that have one.
    multiagent: multiagent as SessionAgent['multiagent'],
  };
}

/** Left out: inherited. Null or empty: cleared. A value replaces. */
function override(
  agent: SessionAgent,
  params: Extract<SessionAgentParams, { type: 'agent_with_overrides' }>,
  models: ModelCatalogue,
): SessionAgent {
  if (params.model === null) throw invalid('agent.model', 'A model is required', 'agent_model_required');
  return {
    ...agent,
    model: params.model === undefined ? agent.model : resolveModel(models, params.model, undefined, 'agent.model'),
    system: params.system === undefined ? agent.system : params.system || null,
    tools: params.tools === undefined ? agent.tools : resolveTools(params.tools ?? [], 'agent.tools'),
    mcp_servers: params.mcp_servers === undefined ? agent.mcp_servers : (params.mcp_servers ?? []),
    skills: params.skills === undefined ? agent.skills : resolveSkills(params.skills ?? []),
  };
}

/** Agents may hold these; a session that would ignore them is not made. */
export function refuseUnenforcedAgent(agent: SessionAgent): void {
  if (agent.mcp_servers.length > 0) throw notYet('agent.mcp_servers', 'MCP servers are');
  if (agent.multiagent !== null) throw notYet('agent.multiagent', 'multiagent is');
  if (agent.execution_identity.type === 'aws_role') throw notYet('agent.execution_identity', 'aws_role is');
}
