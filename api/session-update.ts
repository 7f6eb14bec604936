/** `POST /v1/sessions/{id}`: only what really changes reaches the workflow. */
import { isDeepStrictEqual } from 'node:util';
import { z } from '@hono/zod-openapi';
import type { Session, SessionAgent } from '../events/wire.ts';
import { toolPolicies } from '../harness/tool-policy.ts';
import { externalize } from '../store/blobs/parts.ts';
import { insertSessionAgent, type SessionRow } from '../store/sessions.ts';
import { type SessionAnswer, type SessionOp, STALE } from '../workflows/contract.ts';
import { until } from './accepted.ts';
import { crossCheck, serverList } from './agent-config.ts';
import { metadataPatch, patchMetadata } from './common.ts';
import type { Request } from './context.ts';
import { ApiError, invalid } from './errors.ts';
import { refuseUnenforcedAgent } from './session-agent.ts';
import { title } from './session-create.ts';
import { refusal } from './session-life.ts';
import type { SessionParts } from './session-parts.ts';
import { resolveTools, toolList } from './tools.ts';

/** So long one update goes on computing its change again because others changed the session at the same time. */
const TOGETHER_MS = 15_000;
/** The change that was in the way is in history; its row follows. */
const CHANGED_MS = 2_000;

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
    const deadline = performance.now() + TOGETHER_MS;
    for (;;) {
      const row = await parts.loadSettled(caller, session_id);
      if (row.status === 'terminated') throw invalid('', `Session ${row.id} has ended and cannot be updated.`);
      const op = await changes(parts, row, body);
      if (!op) return;
      const answer = await deps.sessionClient.post(row.id, effectId, op);
      if (answer.ok) return await parts.accepted.note(row, Math.max(...answer.events.map((event) => event.seq), -1));
      // A refused request leaves no trace: the same id may ask again, with what the other change has made of the session.
      if (!isStale(answer) || performance.now() > deadline) throw refusal(answer);
      await until(async () => !isSame(row, await parts.loadSettled(caller, session_id)), CHANGED_MS);
    }
  });
  const [session] = await parts.toWire([await parts.loadSettled(caller, session_id)]);
  if (!session) throw new ApiError(500, 'api_error', `Session ${session_id} lost its agent.`);
  return session;
}

function isStale(answer: SessionAnswer): boolean {
  return !answer.ok && answer.error_code === STALE;
}

function isSame(before: SessionRow, now: SessionRow): boolean {
  return before.metadataSeq === now.metadataSeq && before.agentRev === now.agentRev;
}

/** @returns undefined when the request changes nothing. */
async function changes(
  parts: SessionParts,
  row: SessionRow,
  body: z.output<typeof updateBody>,
): Promise<UpdateOp | undefined> {
  const op: UpdateOp = { op: 'update' };
  const from: UpdateOp['from'] = {};
  if (body.title !== undefined && body.title !== row.title) op.title = body.title;
  const metadata = patchMetadata(row.metadata, body.metadata);
  if (!isDeepStrictEqual(metadata, row.metadata)) {
    op.metadata = metadata;
    from.metadata = row.metadataSeq;
  }
  if (body.agent) Object.assign(op, await agentChange(parts, row, body.agent));
  if (op.agent) from.agent = row.agentRev;
  return Object.keys(op).length > 1 ? { ...op, from } : undefined;
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
