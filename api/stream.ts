/** The event streams of a session and of its threads (server-sent events). */
import { z } from '@hono/zod-openapi';
import { repeated, wholeNumber } from './common.ts';
import type { Request } from './context.ts';
import { invalid, notFound } from './errors.ts';
import { streamEventObject } from './event-objects.ts';
import { openLive, STREAM_TIMES } from './live.ts';
import type { DeltaType } from './previews.ts';
import { type Route, route } from './route.ts';
import type { SessionParts } from './session-parts.ts';

const streamQuery = z.strictObject({
  event_deltas: repeated(z.enum(['agent.message', 'agent.thinking'])).optional(),
  /** Ours: replay from this seq. */
  from: wholeNumber(0).optional(),
});
type StreamRequest = Request<z.output<typeof streamQuery>>;

export function streamRoutes(parts: SessionParts): Route[] {
  const stream = (path: string, summary: string) =>
    route({
      method: 'get',
      path,
      summary,
      query: streamQuery,
      lists: ['event_deltas'],
      response: streamEventObject,
      streams: 'text/event-stream',
      handle: (request) => open(parts, request),
    });
  return [
    stream('/v1/sessions/{session_id}/events/stream', 'Stream a session’s events as they come'),
    stream('/v1/sessions/{session_id}/stream', 'The stream’s path in the first release of the API'),
    stream('/v1/sessions/{session_id}/threads/{thread_id}/stream', 'Stream a thread’s events as they come'),
  ];
}

async function open(parts: SessionParts, { c, deps, caller, params, query }: StreamRequest): Promise<Response> {
  const row = await parts.load(caller, params.session_id ?? '');
  const { thread_id = row.thread } = params;
  if (thread_id !== row.thread) throw notFound('Thread', thread_id);
  const headers = {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  };
  // Nobody would ever read, or cancel, the body of the answer to a HEAD.
  if (c.req.raw.method === 'HEAD') return c.body(null, 200, headers);
  const frames = await openLive(parts, {
    session: row.id,
    thread: thread_id,
    from: startOf(c.req.header('last-event-id'), query.from),
    deltas: new Set<DeltaType>(query.event_deltas),
    times: { ...STREAM_TIMES, ...deps.settings.streams },
    cut: () => c.env?.outgoing?.destroy(),
  });
  parts.streams.add(frames);
  frames.signal.addEventListener('abort', () => parts.streams.delete(frames));
  // Nothing more will come to a session that has ended, unless it is asked to repeat what was.
  if (row.status === 'terminated' && query.from === undefined && !c.req.header('last-event-id')) frames.end();
  return c.body(frames.body, 200, headers);
}

/** `Last-Event-ID` names the last seq that a client has; `from` the first that it wants. */
function startOf(lastEventId: string | undefined, from: number | undefined): number | undefined {
  if (lastEventId === undefined || lastEventId === '') return from;
  if (!/^\d{1,15}$/.test(lastEventId)) throw invalid('last-event-id', 'Input must be the id of a frame of this stream');
  return Number(lastEventId) + 1;
}
