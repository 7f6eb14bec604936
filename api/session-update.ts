/** `POST /v1/sessions/{id}`: only what really changes reaches the workflow. */
import { isDeepStrictEqual } from 'node:util';
import { z } from '@hono/zod-openapi';
import type { Session, SessionAgent } from '../events/wire.ts';
import { toolPolicies } from '../harness/tool-policy.ts';
import { externalize } from '../store/blobs/parts.ts';
import { insertSessionAgent, type SessionRow } from '../store/sessions.ts';
import type { SessionOp } from '../workflows/contract.ts';
import { crossCheck, serverList } from './agent-config.ts';
import { metadataPatch, patchMetadata } from './common.ts';
import type { Request } from './context.ts';
import { ApiError, invalid } from './errors.ts';
import { refuseUnenforcedAgent } from './session-agent.ts';
import { title } from './session-create.ts';
import { refusal } from './session-life.ts';
import type { SessionParts } from './session-parts.ts';
import { resolveTools, toolList } from './tools.ts';

export const updateBody = z.strictObject({
  title,
  metadata: metadataPatch.nullable().optional(),
  agent: z.strictObject({ tools: toolList.optional(), mcp_servers: serverList.optional() }).optional(),
  budget: z.unknown().optional(),
  vault_ids: z.unknown().optional(),
});
type UpdateRequest = Request<unknown, z.output<typeof updateBody>>;
type UpdateOp = Extract<SessionOp, { op: 'update' }>;

export async function updateSession(parts: SessionParts, request: UpdateRequest): Promise<Session> {
  const { caller, params, body, effectId, deps } = request;
  const { session_id = '' } = params;
  if (body.vault_ids !== undefined) throw invalid('vault_ids', 'Vaults of a session cannot be changed');
  if (body.budget !== undefined && body.budget !== null) {
    throw invalid('budget', 'A budget can only be given when a session is created', 'budget_create_only');
  }
  await parts.inTurn(session_id, async () => {
    const row = await parts.loadSettled(caller, session_id);
    if (row.status === 'terminated') throw invalid('', `Session ${row.id} has ended and cannot be updated.`);
    const op = await changes(parts, row, body);
    if (!op) return;
    const answer = await deps.sessionClient.post(row.id, effectId, op);
    if (!answer.ok) throw refusal(answer);
    parts.accepted.note(row.id, Math.max(...answer.events.map((event) => event.seq), -1));
    await parts.accepted.stored(row.id, row.thread);
  });
  const [session] = await parts.toWire([await parts.loadSettled(caller, session_id)]);
  if (!session) throw new ApiError(500, 'api_error', `Session ${session_id} lost its agent.`);
  return session;
}

/** @returns undefined when the request changes nothing. */
async function changes(
  parts: SessionParts,
  row: SessionRow,
  body: z.output<typeof updateBody>,
): Promise<UpdateOp | undefined> {
  const op: UpdateOp = { op: 'update' };
  if (body.title !== undefined && body.title !== row.title) op.title = body.title;
  const metadata = patchMetadata(row.metadata, body.metadata);
  if (!isDeepStrictEqual(metadata, row.metadata)) op.metadata = metadata;
  if (body.agent) Object.assign(op, await agentChange(parts, row, body.agent));
  return Object.keys(op).length > 1 ? op : undefined;
}

async function agentChange(
  parts: SessionParts,
  row: SessionRow,
  change: NonNullable<z.output<typeof updateBody>['agent']>,
): Promise<Pick<UpdateOp, 'agent' | 'agentEvent' | 'blobs'>> {
  const { deps } = parts;
  const before = await parts.agentOf(row);
  const agent: SessionAgent = {
    ...before,
    tools: change.tools ? resolveTools(change.tools, 'agent.tools') : before.tools,
    mcp_servers: change.mcp_servers ?? before.mcp_servers,
  };
  crossCheck(agent, 'agent.');
  refuseUnenforcedAgent(agent);
  if (isDeepStrictEqual(agent, before)) return {};
  const rev = await insertSessionAgent(deps.database.orm, row.id, agent);
  const moved = await externalize(row.id, { event: { type: 'session.updated', agent } }, deps.blobs);
  return {
    agent: { name: agent.name, rev, tools: toolPolicies(agent) },
    agentEvent: moved.event.agent,
    blobs: moved.blobs,
  };
}
