/** `/v1/sessions`: create, list, get, update, archive, delete. */
import { z } from '@hono/zod-openapi';
import { SessionClosedError } from '../client/session.ts';
import { recordOutcome } from '../store/idempotency.ts';
import type { Position } from '../store/pages.ts';
import { findSession, listSessions, type SessionRow } from '../store/sessions.ts';
import { until } from './accepted.ts';
import {
  createdAtBounds,
  id,
  includeArchived,
  limit,
  order,
  page,
  repeated,
  timeRange,
  wholeNumber,
} from './common.ts';
import type { Request } from './context.ts';
import { type Cursor, decodeCursor, encodeCursor, objectPosition } from './cursor.ts';
import { invalid, loggable } from './errors.ts';
import { type Route, route } from './route.ts';
import { createBody, createSession } from './session-create.ts';
import { refusal } from './session-life.ts';
import { sessionObject, statusName } from './session-object.ts';
import type { SessionParts } from './session-parts.ts';
import { updateBody, updateSession } from './session-update.ts';

const LIST = 'sessions';
const ARCHIVED_MS = 2_000;

const listQuery = z.strictObject({
  limit: limit(20, 100),
  page,
  order: order.default('desc'),
  include_archived: includeArchived,
  agent_id: id.optional(),
  agent_version: wholeNumber(1).optional(),
  deployment_id: id.optional(),
  memory_store_id: id.optional(),
  statuses: repeated(statusName).optional(),
  ...createdAtBounds,
});
type ListRequest = Request<z.output<typeof listQuery>>;

export function sessionRoutes(parts: SessionParts): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/sessions',
      summary: 'Create a session',
      body: createBody,
      example: {
        agent: 'agent_01',
        environment_id: 'env_01',
        initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'Say hello.' }] }],
      },
      response: sessionObject,
      once: 'effects',
      handle: (request) => createSession(parts, request),
    }),
    route({
      method: 'get',
      path: '/v1/sessions',
      summary: 'List sessions',
      query: listQuery,
      lists: ['statuses'],
      response: z.object({
        data: z.array(sessionObject),
        next_page: z.string().nullable(),
        prev_page: z.string().nullable(),
      }),
      handle: (request) => list(parts, request),
    }),
    route({
      method: 'get',
      path: '/v1/sessions/{session_id}',
      summary: 'Get a session',
      response: sessionObject,
      handle: ({ caller, params }) => show(parts, caller, params.session_id ?? ''),
    }),
    route({
      method: 'post',
      path: '/v1/sessions/{session_id}',
      summary: 'Update a session: title, metadata, tools',
      body: updateBody,
      example: { title: 'Quarterly figures', metadata: { ticket: '42' } },
      conflicts: true,
      response: sessionObject,
      once: 'effects',
      handle: (request) => updateSession(parts, request),
    }),
    route({
      method: 'post',
      path: '/v1/sessions/{session_id}/archive',
      summary: 'Archive a session that is not running: it ends, its history stays',
      response: sessionObject,
      once: 'effects',
      handle: (request) => archive(parts, request),
    }),
    route({
      method: 'delete',
      path: '/v1/sessions/{session_id}',
      summary: 'Delete a session that is not running, with everything that belongs to it',
      response: z.object({ id, type: z.literal('session_deleted') }),
      once: 'effects',
      async handle({ caller, params, effectId }) {
        const row = await parts.load(caller, params.session_id ?? '');
        const deleted = { id: row.id, type: 'session_deleted' };
        // Afterwards there is no session left to tell a retry that it was deleted.
        await parts.life.remove(row, effectId, (tx) => recordOutcome(tx, effectId, 200, JSON.stringify(deleted)));
        return deleted;
      },
    }),
  ];
}

async function show(parts: SessionParts, caller: Request['caller'], sessionId: string): Promise<object> {
  const row = await parts.loadSettled(caller, sessionId);
  const [session] = await parts.toWire([row]);
  return session ?? {};
}

async function archive(parts: SessionParts, { deps, caller, params, effectId }: Request): Promise<object> {
  const row = await parts.load(caller, params.session_id ?? '');
  if (row.archivedAt === null) {
    try {
      const answer = await deps.sessionClient.post(row.id, effectId, { op: 'archive' });
      if (!answer.ok) throw refusal(answer);
    } catch (error) {
      // It has ended meanwhile; if by itself, there is nothing more to end.
      if (!(error instanceof SessionClosedError)) throw error;
    }
    const archived = async () =>
      (await findSession(deps.database.orm, caller.workspaceId, row.id))?.archivedAt !== null;
    await until(archived, ARCHIVED_MS);
  }
  return await show(parts, caller, row.id);
}

async function list(parts: SessionParts, { deps, caller, query }: ListRequest): Promise<object> {
  if (query.agent_version !== undefined && query.agent_id === undefined) {
    throw invalid('agent_version', 'Only allowed together with agent_id');
  }
  const cursor = decodeCursor(query.page, LIST, query.order);
  const position = objectPosition(cursor);
  const createdAt = timeRange(query);
  if (position) refuseOutside(position, createdAt);
  const filter = {
    agentId: query.agent_id,
    agentVersion: query.agent_version,
    deploymentId: query.deployment_id,
    statuses: query.statuses,
    includeArchived: query.include_archived,
    createdAt,
  };
  const backwards = cursor?.b === true;
  const walk = { order: query.order, limit: query.limit + 1, position, backwards };
  const found = query.memory_store_id ? [] : await listSessions(deps.database.orm, caller.workspaceId, filter, walk);
  const more = found.length > query.limit;
  const rows = backwards ? found.slice(more ? 1 : 0) : found.slice(0, query.limit);
  for (const row of rows) finishLater(parts, row);
  const at = (row: SessionRow | undefined, b?: true): string | null => {
    if (!row) return null;
    const p = { createdAt: row.createdAt.getTime(), id: row.id };
    return encodeCursor({ l: LIST, o: query.order, p, ...(b ? { b } : {}) } satisfies Cursor);
  };
  const hasNext = backwards || more;
  const hasPrev = backwards ? more : cursor !== undefined;
  return {
    data: await parts.toWire(rows),
    next_page: hasNext ? at(rows.at(-1)) : null,
    prev_page: hasPrev ? at(rows[0], true) : null,
  };
}

function finishLater(parts: SessionParts, row: SessionRow): void {
  if (row.phase === 'live') return;
  parts.life
    .finish(row)
    .catch((error: unknown) => parts.deps.log.warn({ err: loggable(error), session: row.id }, 'not finished yet'));
}

/** A cursor points into the list that made it; bounds that exclude its place would silently skip rows. */
function refuseOutside(position: Position, range: ReturnType<typeof timeRange>): void {
  const at = position.createdAt;
  const outside =
    (range.gt && at <= range.gt.getTime()) ||
    (range.gte && at < range.gte.getTime()) ||
    (range.lt && at >= range.lt.getTime()) ||
    (range.lte && at > range.lte.getTime());
  if (outside) throw invalid('page', 'This cursor lies outside the created_at bounds of this request');
}
