/** `/v1/agents`: create, list, get, update, archive, versions. */
import { isDeepStrictEqual } from 'node:util';
import { z } from '@hono/zod-openapi';
import { idBody } from '../events/ids.ts';
import {
  type Agent,
  findAgent,
  findAgentVersion,
  insertAgent,
  listAgents,
  listAgentVersions,
  saveAgent,
} from '../store/agents.ts';
import {
  crossCheck,
  identityParams,
  modelParams,
  resolveModel,
  resolveSkills,
  serverList,
  skillList,
  systemText,
} from './agent-config.ts';
import { agentObject } from './agent-object.ts';
import {
  createdAtBounds,
  includeArchived,
  limit,
  metadata,
  metadataPatch,
  name,
  page,
  patchMetadata,
  timeRange,
  wholeNumber,
} from './common.ts';
import type { Request } from './context.ts';
import { decodeCursor, encodeCursor, numberPosition, objectPosition } from './cursor.ts';
import { conflict, invalid, notFound } from './errors.ts';
import { multiagentParams, resolveMultiagent } from './multiagent.ts';
import { type Route, route } from './route.ts';
import { resolveTools, toolList } from './tools.ts';

const description = z.string().max(2048).nullable().optional();

const createBody = z.strictObject({
  name,
  model: modelParams,
  system: systemText.nullable().optional(),
  description,
  tools: toolList.optional(),
  mcp_servers: serverList.optional(),
  skills: skillList.optional(),
  multiagent: multiagentParams.nullable().optional(),
  metadata: metadata.optional(),
  execution_identity: identityParams.nullable().optional(),
});
const updateBody = z.strictObject({
  version: z.int().min(1).optional(),
  name: name.optional(),
  model: modelParams.optional(),
  system: systemText.nullable().optional(),
  description,
  tools: toolList.nullable().optional(),
  mcp_servers: serverList.nullable().optional(),
  skills: skillList.nullable().optional(),
  multiagent: multiagentParams.nullable().optional(),
  metadata: metadataPatch.nullable().optional(),
  execution_identity: identityParams.nullable().optional(),
});
const { 'created_at[gte]': gte, 'created_at[lte]': lte } = createdAtBounds;
const listQuery = z.strictObject({
  limit: limit(20, 100),
  page,
  include_archived: includeArchived,
  'created_at[gte]': gte,
  'created_at[lte]': lte,
});

const agentPage = z.object({ data: z.array(agentObject), next_page: z.string().nullable() });

export function agentRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/agents',
      summary: 'Create an agent',
      body: createBody,
      example: {
        name: 'analyst',
        model: 'claude-opus-5-5',
        system: 'You clean data.',
        tools: [{ type: 'agent_toolset_20260401' }],
      },
      response: agentObject,
      once: 'transaction',
      handle: create,
    }),
    route({
      method: 'get',
      path: '/v1/agents',
      summary: 'List agents, newest first',
      query: listQuery,
      response: agentPage,
      async handle({ db, caller, query }) {
        const cursor = decodeCursor(query.page, 'agents', 'desc');
        const filter = { includeArchived: query.include_archived, createdAt: timeRange(query) };
        const rows = await listAgents(db, caller.workspaceId, filter, query.limit + 1, objectPosition(cursor));
        const data = rows.slice(0, query.limit);
        const last = rows.length > data.length ? data.at(-1) : undefined;
        const position = last && { createdAt: Date.parse(last.created_at), id: last.id };
        return { data, next_page: position ? encodeCursor({ l: 'agents', o: 'desc', p: position }) : null };
      },
    }),
    route({
      method: 'get',
      path: '/v1/agents/{agent_id}',
      summary: 'Get an agent, or one of its versions',
      query: z.strictObject({ version: wholeNumber(1).optional() }),
      response: agentObject,
      async handle(request) {
        const agent = await existing(request);
        const { version } = request.query;
        if (version === undefined || version === agent.version) return agent;
        const found = await findAgentVersion(request.db, request.caller.workspaceId, agent.id, version);
        if (!found) throw notFound('Agent', `${agent.id} version ${version}`);
        return found;
      },
    }),
    route({
      method: 'post',
      path: '/v1/agents/{agent_id}',
      summary: 'Update an agent: a new version when something changes',
      body: updateBody,
      example: { version: 1, description: 'Cleans data.' },
      conflicts: true,
      response: agentObject,
      once: 'transaction',
      handle: update,
    }),
    route({
      method: 'post',
      path: '/v1/agents/{agent_id}/archive',
      summary: 'Archive an agent, for good',
      response: agentObject,
      once: 'transaction',
      async handle(request) {
        const agent = await existing(request, 'update');
        if (agent.archived_at !== null) return agent;
        const at = new Date(request.deps.now()).toISOString();
        const archived: Agent = { ...agent, archived_at: at, updated_at: at };
        await saveAgent(request.db, request.caller.workspaceId, archived);
        return archived;
      },
    }),
    route({
      method: 'get',
      path: '/v1/agents/{agent_id}/versions',
      summary: 'List the versions of an agent, newest first',
      query: z.strictObject({ limit: limit(20, 100), page }),
      response: agentPage,
      async handle(request) {
        const { query, db, caller } = request;
        const agent = await existing(request);
        const list = `versions ${agent.id}`;
        const below = numberPosition(decodeCursor(query.page, list, 'desc'));
        const rows = await listAgentVersions(db, caller.workspaceId, agent.id, query.limit + 1, below);
        const data = rows.slice(0, query.limit);
        const last = rows.length > data.length ? data.at(-1) : undefined;
        return { data, next_page: last ? encodeCursor({ l: list, o: 'desc', p: last.version }) : null };
      },
    }),
  ];
}

async function existing({ db, caller, params }: Request<unknown, unknown>, lock?: 'update'): Promise<Agent> {
  const { agent_id = '' } = params;
  const agent = await findAgent(db, caller.workspaceId, agent_id, lock);
  if (!agent) throw notFound('Agent', agent_id);
  return agent;
}

async function create({
  deps,
  db,
  caller,
  body,
  effectId,
  since,
}: Request<unknown, z.output<typeof createBody>>): Promise<Agent> {
  const at = since.toISOString();
  const id = `agent_${idBody(effectId)}`;
  const roster = { db, workspaceId: caller.workspaceId, self: { type: 'agent' as const, id, version: 1 } };
  const agent: Agent = {
    type: 'agent',
    id,
    version: 1,
    name: body.name,
    description: body.description || null,
    model: resolveModel(deps.models, body.model),
    system: body.system || null,
    tools: resolveTools(body.tools ?? []),
    mcp_servers: body.mcp_servers ?? [],
    skills: resolveSkills(body.skills ?? []),
    multiagent: body.multiagent ? await resolveMultiagent(roster, body.multiagent, null) : null,
    metadata: body.metadata ?? {},
    execution_identity: body.execution_identity ?? { type: 'service_account' },
    created_at: at,
    updated_at: at,
    archived_at: null,
  };
  crossCheck(agent);
  await insertAgent(db, caller.workspaceId, agent);
  return agent;
}

async function update(request: Request<unknown, z.output<typeof updateBody>>): Promise<Agent> {
  const { deps, db, caller, body } = request;
  const agent = await existing(request, 'update');
  if (agent.archived_at !== null)
    throw invalid('', `Agent ${agent.id} is archived; archived agents cannot be changed.`);
  if (body.version !== undefined && body.version !== agent.version) {
    throw conflict(
      `version: agent ${agent.id} is at version ${agent.version}, not ${body.version}; read it again and decide anew.`,
    );
  }
  const changed = await applyChanges(request, agent);
  crossCheck(changed);
  if (isDeepStrictEqual(changed, agent)) return agent;
  const next: Agent = { ...changed, version: agent.version + 1, updated_at: new Date(deps.now()).toISOString() };
  await saveAgent(db, caller.workspaceId, next);
  return next;
}

async function applyChanges(request: Request<unknown, z.output<typeof updateBody>>, agent: Agent): Promise<Agent> {
  const { deps, db, caller, body } = request;
  const roster = {
    db,
    workspaceId: caller.workspaceId,
    self: { type: 'agent' as const, id: agent.id, version: agent.version },
  };
  /** What was left out stays; null and the empty value clear. */
  const next = <T>(given: unknown, stored: T, made: () => T): T => (given === undefined ? stored : made());
  return {
    ...agent,
    name: body.name ?? agent.name,
    description: next(body.description, agent.description, () => body.description || null),
    system: next(body.system, agent.system, () => body.system || null),
    model: body.model === undefined ? agent.model : resolveModel(deps.models, body.model, agent.model),
    tools: next(body.tools, agent.tools, () => resolveTools(body.tools ?? [])),
    mcp_servers: next(body.mcp_servers, agent.mcp_servers, () => body.mcp_servers ?? []),
    skills: next(body.skills, agent.skills, () => resolveSkills(body.skills ?? [])),
    multiagent: body.multiagent
      ? await resolveMultiagent(roster, body.multiagent, agent.multiagent)
      : next(body.multiagent, agent.multiagent, () => null),
    metadata: patchMetadata(agent.metadata, body.metadata),
    execution_identity: next(
      body.execution_identity,
      agent.execution_identity,
      () => body.execution_identity ?? { type: 'service_account' },
    ),
  };
}
