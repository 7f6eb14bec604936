/**
 * A web handler: tickets that an agent works on. Any framework that has Web requests and responses takes it
 * (`Bun.serve`, Hono, Next.js, Deno; Node through `@hono/node-server`).
 *
 *     POST /tickets/42          {"text": "My order has not come."}   → 202 {"session": "sesn_…"}
 *     GET  /tickets/42/sesn_…                                        → 200 {"status": …, "asks": […], "answer": …}
 *     POST /tickets/42/sesn_…   {"call": "sevt_…", "allow": false}   → 204
 */
import { type Longhand, SessionClosedError, SessionRefusedError } from '../../client/index.ts'; // from 'longhand/client'

export interface TicketDesk {
  agent: string;
  environment: string;
}

export function createTicketHandler(longhand: Longhand, desk: TicketDesk): (request: Request) => Promise<Response> {
  async function open(ticket: string, request: Request): Promise<Response> {
    const { text } = (await request.json()) as { text: string };
    // A browser that sends its form twice opens one session.
    const { id } = await longhand.startSession(
      {
        agent: desk.agent,
        environment_id: desk.environment,
        metadata: { ticket },
        initial_events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
      },
      { idempotencyKey: `ticket/${ticket}` },
    );
    return Response.json({ session: id }, { status: 202 });
  }

  async function show(session: string): Promise<Response> {
    const [{ status }, log] = await Promise.all([longhand.getSession(session), longhand.getEvents(session)]);
    const events = log.map(({ event }) => event);
    const said = events.findLast((event) => event.type === 'agent.message');
    const answer = said?.content.map((block) => (block.type === 'text' ? block.text : '')).join('') ?? null;
    const idle = events.findLast((event) => event.type === 'session.status_idle');
    const waiting = status === 'idle' && idle?.stop_reason.type === 'requires_action';
    const ids = waiting && idle?.stop_reason.type === 'requires_action' ? idle.stop_reason.event_ids : [];
    const asks = events.filter((event) => event.type === 'agent.tool_use' && ids.includes(event.id));
    return Response.json({ status, asks, answer });
  }

  async function decide(session: string, request: Request): Promise<Response> {
    const { call, allow } = (await request.json()) as { call: string; allow: boolean };
    await longhand.approve(session, call, allow ? { result: 'allow' } : { result: 'deny', message: 'Not this time.' });
    return new Response(null, { status: 204 });
  }

  return async function handleTicket(request) {
    const [, ticket, session] = /^\/tickets\/(\w+)(?:\/(\w+))?$/.exec(new URL(request.url).pathname) ?? [];
    try {
      if (!ticket) return new Response(null, { status: 404 });
      if (!session) return await open(ticket, request);
      return request.method === 'GET' ? await show(session) : await decide(session, request);
    } catch (error) {
      if (error instanceof SessionClosedError)
        return Response.json({ error: 'This ticket is closed.' }, { status: 409 });
      if (!(error instanceof SessionRefusedError)) throw error;
      return Response.json({ error: error.message, field: error.field }, { status: error.status });
    }
  };
}
