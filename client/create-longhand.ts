/** {@link Longhand} over a Temporal client. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { DEFAULT_WORKSPACE, sessionWorkflowId } from '../events/ids.ts';
import type { EventParams, SessionEvent } from '../events/wire.ts';
import { internalize } from '../store/blobs/parts.ts';
import { POST, type PreparedEvent } from '../workflows/contract.ts';
import { type LogSlice, MAX_SERVICE_BYTES, type PartedSlice } from '../workflows/service-contract.ts';
import { utf8Bytes } from '../workflows/sizes.ts';
import { askBrain } from './brain-requests.ts';
import { SessionRefusedError } from './errors.ts';
import type { Decision, EmitOptions, Longhand, LonghandOptions } from './longhand.ts';
import { arePlain } from './plain-events.ts';
import { createSessionClient } from './temporal-session-client.ts';

const TIMEOUT_MS = 30_000;
/** Sessions whose posts are remembered; the oldest is forgotten first. */
const KEPT = 10_000;

/**
 * The sessions of a Longhand over a Temporal client that the caller has: with its connection, its TLS, its namespace.
 *
 * @param temporal - of the namespace that Longhand uses. Longhand's payloads are plain JSON: a client with a codec that
 *   encrypts cannot talk to it.
 * @example
 * import { Client, Connection } from '@temporalio/client';
 * import { createLonghand } from 'longhand/client';
 *
 * const connection = await Connection.connect({ address: 'temporal.example:7233' });
 * const longhand = createLonghand(new Client({ connection, namespace: 'agents' }));
 */
export function createLonghand(temporal: Client, options: LonghandOptions = {}): Longhand {
  const { workspace = DEFAULT_WORKSPACE, timeoutMs = TIMEOUT_MS } = options;
  const sessions = createSessionClient(temporal);
  const ask = askBrain(temporal, timeoutMs);
  const posted = createPosted();

  async function emit(sessionId: string, events: EventParams[], { wait = 'answer', requestId }: EmitOptions) {
    const id = requestId ?? randomUUID();
    if (wait === 'none') {
      if (!arePlain(events)) throw tooMuchForSignal();
      await temporal.workflow.getHandle(sessionWorkflowId(sessionId)).signal(POST, { id, events });
      return [];
    }
    const prepared: PreparedEvent[] = arePlain(events)
      ? events.map((event) => ({ event }))
      : await ask('prepareEvents', { session: sessionId, events: fitting(events, 'events') });
    const answer = await sessions.post(sessionId, id, { op: 'events', events: prepared });
    if (!answer.ok) throw new SessionRefusedError(answer);
    posted.note(sessionId, Math.max(...answer.events.map(({ seq }) => seq), -1));
    return answer.events;
  }

  /** Brings the parts that one payload could not hold. */
  async function whole(session: string, { parts, ...slice }: PartedSlice): Promise<LogSlice> {
    if (!parts) return slice;
    const get = async (_session: string, sha256: string) => {
      const pieces: Uint8Array[] = [];
      for (let from = 0; ; ) {
        const piece = await ask('getPart', { session, sha256, from });
        pieces.push(piece);
        from += piece.length;
        if (piece.length < MAX_SERVICE_BYTES) return Buffer.concat(pieces);
      }
    };
    const { event } = await internalize(session, { event: slice.event, blobs: parts }, { get });
    return { ...slice, event: event as SessionEvent };
  }

  return {
    async startSession(params, { idempotencyKey: key = randomUUID() } = {}) {
      const started = await ask('startSession', { workspace, key, params: fitting(params, '') });
      posted.note(started.id, started.initial - 1);
      return started;
    },

    async wake(sessionId) {
      if (await sessions.isOpen(sessionId)) return { woken: false };
      return await ask('wake', { session: sessionId }, sessionId);
    },

    getSession: (sessionId) => ask('getSession', { session: sessionId, atLeast: posted.of(sessionId) }),

    emitEvent: (sessionId, events, given = {}) => emit(sessionId, Array.isArray(events) ? events : [events], given),

    async getEvents(sessionId, { thread, from = 0, to } = {}) {
      const entries: LogSlice[] = [];
      const asked = { session: sessionId, thread, to, atLeast: posted.of(sessionId) };
      for (let next: number | null = from; next !== null; ) {
        const page: { entries: PartedSlice[]; next: number | null } = await ask('getEvents', { ...asked, from: next });
        for (const slice of page.entries) entries.push(await whole(sessionId, slice));
        next = page.next;
      }
      return entries;
    },

    async approve(sessionId, toolUseId, decision: Decision = { result: 'allow' }) {
      const { result } = decision;
      const why = decision.result === 'deny' && decision.message ? { deny_message: decision.message } : {};
      const event: EventParams = { type: 'user.tool_confirmation', tool_use_id: toolUseId, result, ...why };
      await emit(sessionId, [event], {});
    },

    async interrupt(sessionId) {
      await emit(sessionId, [{ type: 'user.interrupt' }], {});
    },
  };
}

/** How far each session's log must reach to hold what was posted here. */
function createPosted() {
  const highest = new Map<string, number>();
  const of = (session: string) => highest.get(session) ?? -1;
  return {
    of,
    note(session: string, seq: number): void {
      const most = Math.max(of(session), seq);
      highest.delete(session);
      highest.set(session, most);
      const [oldest] = highest.keys();
      if (highest.size > KEPT && oldest !== undefined) highest.delete(oldest);
    },
  };
}

/** @throws SessionRefusedError when Temporal could not carry it. */
function fitting<T>(value: T, field: string): T {
  const bytes = utf8Bytes(JSON.stringify(value));
  if (bytes <= MAX_SERVICE_BYTES) return value;
  const message = `${field ? `${field}: ` : ''}${bytes} bytes are more than the ${MAX_SERVICE_BYTES} that can be sent over Temporal; use the HTTP API.`;
  throw new SessionRefusedError({ status: 413, type: 'request_too_large', message });
}

function tooMuchForSignal(): SessionRefusedError {
  const message =
    'events: without waiting for an answer only small texts, interrupts, confirmations and custom tool results can be sent.';
  return new SessionRefusedError({ status: 400, type: 'invalid_request_error', message });
}
