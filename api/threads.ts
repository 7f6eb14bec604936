/** `/v1/sessions/{id}/threads`: for now every session has its primary thread and no other. */
import type { BetaManagedAgentsSessionThread } from '@anthropic-ai/sdk/resources/beta/sessions';
import { z } from '@hono/zod-openapi';
import type { SessionAgent } from '../events/wire.ts';
import type { SessionRow } from '../store/sessions.ts';
import { threadAgentObject, time } from './agent-object.ts';
import { id, limit, page, repeated } from './common.ts';
import { decodeCursor } from './cursor.ts';
import { notFound } from './errors.ts';
import { eventPage } from './event-objects.ts';
import { listEvents, listQuery } from './events.ts';
import { type Route, route } from './route.ts';
import { activeTimes, statusName, usageObject } from './session-object.ts';
import type { SessionParts } from './session-parts.ts';

const seconds = z.number().min(0);
/** `stats` and `usage` are null until the thread has begun. */
export const threadObject = z
  .object({
    id,
    type: z.literal('session_thread'),
    session_id: id,
    parent_thread_id: z.null(),
    workflow_run_id: z.null(),
    agent: threadAgentObject,
    status: statusName,
    stats: z.object({ active_seconds: seconds, duration_seconds: seconds, startup_seconds: seconds }).nullable(),
    usage: usageObject.nullable(),
    created_at: time,
    updated_at: time,
    archived_at: time.nullable(),
  })
  .openapi('SessionThread') satisfies z.ZodType<BetaManagedAgentsSessionThread>;

export function threadRoutes(parts: SessionParts): Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/sessions/{session_id}/threads',
      summary: 'List a session’s threads',
      query: z.strictObject({
        limit: limit(1000, 1000),
        page,
        statuses: repeated(statusName).optional(),
      }),
      lists: ['statuses'],
      response: z.object({ data: z.array(threadObject), next_page: z.string().nullable() }),
      async handle({ deps, caller, params, query }) {
        const row = await parts.loadSettled(caller, params.session_id ?? '');
        decodeCursor(query.page, `threads ${row.id}`, 'asc');
        const thread = toThread(row, await parts.agentOf(row), deps.now());
        const shown = !query.statuses || query.statuses.includes(thread.status);
        return { data: shown ? [thread] : [], next_page: null };
      },
    }),
    route({
      method: 'get',
      path: '/v1/sessions/{session_id}/threads/{thread_id}',
      summary: 'Get a thread',
      response: threadObject,
      async handle({ deps, caller, params }) {
        const row = await parts.loadSettled(caller, params.session_id ?? '');
        refuseOthers(row, params.thread_id);
        return toThread(row, await parts.agentOf(row), deps.now());
      },
    }),
    route({
      method: 'get',
      path: '/v1/sessions/{session_id}/threads/{thread_id}/events',
      summary: 'List a thread’s events',
      query: listQuery,
      lists: ['types'],
      response: eventPage,
      async handle({ caller, params, query }) {
        const row = await parts.load(caller, params.session_id ?? '');
        refuseOthers(row, params.thread_id);
        return await listEvents(parts, row, row.thread, query);
      },
    }),
  ];
}

function refuseOthers(row: SessionRow, threadId: string | undefined): void {
  if (threadId !== row.thread) throw notFound('Thread', threadId ?? '');
}

function toThread(row: SessionRow, agent: SessionAgent, now: number): BetaManagedAgentsSessionThread {
  const { multiagent: _none, ...threadAgent } = agent;
  const times = activeTimes(row, now);
  const begun = row.rowSeq >= 0;
  return {
    id: row.thread,
    type: 'session_thread',
    session_id: row.id,
    parent_thread_id: null,
    workflow_run_id: null,
    agent: threadAgent,
    status: row.status,
    stats: begun ? { active_seconds: times.stats, duration_seconds: times.duration, startup_seconds: 0 } : null,
    usage: begun ? { ...row.usage, active_seconds: times.usage } : null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
    archived_at: row.archivedAt?.toISOString() ?? null,
  };
}
