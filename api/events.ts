/** `/v1/sessions/{id}/events`: send and list; the stream is in `stream.ts`. */
import { z } from '@hono/zod-openapi';
import { type EventEntry, isEventEntry } from '../events/entry.ts';
import type { EventParams, SessionEvent } from '../events/wire.ts';
import { internalize } from '../store/blobs/parts.ts';
import { type EventQuery, listEventEntries } from '../store/session-events.ts';
import type { SessionRow } from '../store/sessions.ts';
import type { AcceptedEvent, PreparedEvent } from '../workflows/contract.ts';
import { createdAtBounds, limit, order, page, repeated, timeRange } from './common.ts';
import type { Request } from './context.ts';
import { decodeCursor, encodeCursor, numberPosition } from './cursor.ts';
import { invalid } from './errors.ts';
import { takeEventFiles, withFiles } from './event-files.ts';
import { eventPage, sentEvents } from './event-objects.ts';
import { checkEvents, sendBody } from './event-params.ts';
import { resolveOutcomes, withGrader } from './outcomes.ts';
import { prepareEvents } from './prepared.ts';
import { type Route, route } from './route.ts';
import { refusal } from './session-life.ts';
import type { SessionParts } from './session-parts.ts';

const PAGE_EVENTS = 1000;
/** A page ends early when its large parts reach this many bytes; it always holds one event. */
const PAGE_BYTES = 48 * 1024 * 1024;

/** Every type that a list can hold, in the SDK's order. */
const EVENT_TYPES = [
  'user.message',
  'user.interrupt',
  'user.tool_confirmation',
  'user.custom_tool_result',
  'agent.custom_tool_use',
  'agent.message',
  'agent.thinking',
  'agent.mcp_tool_use',
  'agent.mcp_tool_result',
  'agent.tool_use',
  'agent.tool_result',
  'agent.thread_message_received',
  'agent.thread_message_sent',
  'agent.thread_context_compacted',
  'session.error',
  'session.status_rescheduled',
  'session.status_running',
  'session.status_idle',
  'session.status_terminated',
  'session.thread_created',
  'span.outcome_evaluation_start',
  'span.outcome_evaluation_end',
  'span.model_request_start',
  'span.model_request_end',
  'span.outcome_evaluation_ongoing',
  'user.define_outcome',
  'session.thread_status_running',
  'session.thread_status_idle',
  'session.thread_status_terminated',
  'user.tool_result',
  'session.thread_status_rescheduled',
  'session.updated',
  'system.message',
  'session.usage',
  'workflow_run.created',
  'workflow_run.status_running',
  'workflow_run.status_idle',
  'workflow_run.status_ended',
  'workflow_run.error',
  'workflow_run.phase_started',
  'workflow_run.phase_ended',
] as const satisfies Exclude<SessionEvent['type'], 'session.deleted'>[];

export const listQuery = z.strictObject({
  limit: limit(PAGE_EVENTS, PAGE_EVENTS),
  page,
  order: order.default('asc'),
  types: repeated(z.enum(EVENT_TYPES)).optional(),
  ...createdAtBounds,
});

export function eventRoutes(parts: SessionParts): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/sessions/{session_id}/events',
      summary: 'Send events to a session; answered once they are in its log',
      body: sendBody,
      example: { events: [{ type: 'user.message', content: [{ type: 'text', text: 'And now as a chart.' }] }] },
      response: sentEvents,
      once: 'effects',
      handle: (request) => send(parts, request),
    }),
    route({
      method: 'get',
      path: '/v1/sessions/{session_id}/events',
      summary: 'List a session’s events, each once, in its latest state',
      query: listQuery,
      lists: ['types'],
      response: eventPage,
      async handle({ caller, params, query }) {
        const row = await parts.load(caller, params.session_id ?? '');
        return await listEvents(parts, row, row.thread, query);
      },
    }),
  ];
}

async function send(
  parts: SessionParts,
  { deps, caller, params, body, effectId }: Request<unknown, z.output<typeof sendBody>>,
): Promise<{ data: unknown[] }> {
  const row = await parts.load(caller, params.session_id ?? '');
  const events = await resolveOutcomes(deps, row, body.events, 'events');
  const prepared = await prepareForSession(parts, row, events);
  const answer = await deps.sessionClient.post(row.id, effectId, { op: 'events', events: prepared });
  if (!answer.ok) throw refusal(answer);
  const seq = Math.max(...answer.events.map((event) => event.seq), -1);
  await parts.accepted.note(row, seq);
  return { data: await asStored(parts, { ...row, acceptedSeq: seq }, events, answer.events) };
}

/**
 * Checks what is sent to a session by all rules that need no knowledge of its state, and stores its large parts.
 * @param events - with every rubric as text (`resolveOutcomes`).
 */
export async function prepareForSession(
  parts: SessionParts,
  row: SessionRow,
  events: EventParams[],
): Promise<PreparedEvent[]> {
  const { deps } = parts;
  if (row.status === 'terminated') throw invalid('', `Session ${row.id} is terminated; it takes no more events.`);
  const agent = events.some((event) => event.type === 'system.message') ? await parts.agentOf(row) : undefined;
  const systemMessages = agent !== undefined && deps.models.find(agent.model.id).systemMessages;
  checkEvents(events, { thread: row.thread, systemMessages, modelId: agent?.model.id ?? '' }, 'events');
  const files = await takeEventFiles(deps, row, row.id, events, 'events');
  const prepared = withFiles(await prepareEvents(row.id, events, deps.blobs), files);
  if (!events.some((event) => event.type === 'user.define_outcome')) return prepared;
  return withGrader(prepared, (await parts.loadSettled(row, row.id)).metadata);
}

/** The events as the log has them, without reading it: the answer of a post holds ids and stamps, not content. */
async function asStored(
  parts: SessionParts,
  row: SessionRow,
  sent: EventParams[],
  accepted: AcceptedEvent[],
): Promise<unknown[]> {
  if (accepted.length === sent.length) {
    return accepted.map(({ id, processed_at, outcome_id }, index) => ({
      ...sent[index],
      ...(outcome_id ? { max_iterations: maxIterations(sent[index]), outcome_id } : {}),
      ...{ id, processed_at },
    }));
  }
  // A confirmation that was a duplicate has no entry; which one it was, the log knows.
  await parts.accepted.stored(row);
  const stored: unknown[] = [];
  for (const { seq } of accepted) {
    const [entry] = await parts.deps.logStore.read(row.id, row.thread, seq, seq, 1);
    if (entry && isEventEntry(entry)) stored.push((await internalize(row.id, entry, parts.deps.blobs)).event);
  }
  return stored;
}

const maxIterations = (event: EventParams | undefined) =>
  event?.type === 'user.define_outcome' ? (event.max_iterations ?? null) : null;

/** One page of a thread's events. */
export async function listEvents(
  parts: SessionParts,
  row: SessionRow,
  thread: string,
  query: z.output<typeof listQuery>,
): Promise<{ data: unknown[]; next_page: string | null }> {
  const { database, blobs } = parts.deps;
  const list = `events ${thread}`;
  const after = numberPosition(decodeCursor(query.page, list, query.order));
  await parts.accepted.stored(row);
  const asked: EventQuery = {
    order: query.order,
    limit: query.limit + 1,
    after,
    types: query.types,
    processedAt: timeRange(query),
  };
  const entries = await listEventEntries(database.pool, row.id, thread, asked);
  const shown = entries.slice(0, pageLength(entries, query.limit));
  const data: unknown[] = [];
  for (const entry of shown) data.push((await internalize(row.id, entry, blobs)).event);
  const last = entries.length > shown.length ? shown.at(-1) : undefined;
  return { data, next_page: last ? encodeCursor({ l: list, o: query.order, p: last.seq }) : null };
}

function pageLength(entries: EventEntry[], most: number): number {
  let bytes = 0;
  for (const [index, entry] of entries.slice(0, most).entries()) {
    bytes += (entry.blobs ?? []).reduce((sum, part) => sum + part.bytes, 0);
    if (bytes > PAGE_BYTES) return Math.max(index, 1);
  }
  return most;
}
