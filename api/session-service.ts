/**
 * What other services ask over Temporal, answered by the brain with the same checks and the same code as over HTTP: a
 * request that one of the two ways would refuse, the other one refuses too.
 */
import { createHash } from 'node:crypto';
import { findEnvironment } from '../store/environments.ts';
import { findSessionRow, type SessionRow } from '../store/sessions.ts';
import type { Answered, SessionService } from '../workflows/service-contract.ts';
import type { ApiDeps } from './context.ts';
import { ApiError, ensureApiError, invalid, notFound } from './errors.ts';
import { sendBody } from './event-params.ts';
import { prepareForSession } from './events.ts';
import { resolveOutcomes } from './outcomes.ts';
import { createBody, ensureSession } from './session-create.ts';
import { createSessionParts } from './session-parts.ts';
import { placementOf } from './session-target.ts';
import { renewInputs } from './tell-inputs.ts';
import { check } from './validation.ts';

const MAX_KEY = 255;

export function createSessionService(deps: ApiDeps): SessionService {
  const parts = createSessionParts(deps);
  const { orm } = deps.database;

  async function settled(session: string): Promise<SessionRow | undefined> {
    const row = await findSessionRow(orm, session);
    if (!row || row.phase === 'live') return row;
    await parts.life.finish(row);
    return await findSessionRow(orm, session);
  }

  async function load(session: string): Promise<SessionRow> {
    const row = await settled(session);
    if (!row) throw notFound('Session', session);
    return row;
  }

  return {
    start: (input) =>
      answered(async () => {
        const { workspace, key, params, mustBegin } = input;
        if (key === '' || key.length > MAX_KEY) {
          throw invalid('idempotency_key', `Input must have 1 to ${MAX_KEY} characters`);
        }
        const body = check(createBody, params);
        if (mustBegin && !body.initial_events?.length) {
          throw invalid('initial_events', 'At least one event is needed: a session without has nothing to end');
        }
        const effectId = `start_${sessionBody(workspace, key)}`;
        const caller = { keyId: '', workspaceId: workspace };
        const row = await ensureSession(parts, { deps, caller, body, effectId, since: new Date(deps.now()) });
        refuseAnother(row, body);
        return { id: row.id, thread: row.thread, initial: body.initial_events?.length ?? 0 };
      }),

    show: ({ session, atLeast }) =>
      answered(async () => {
        const known = await load(session);
        await parts.accepted.stored({ ...known, acceptedSeq: Math.max(known.acceptedSeq, atLeast) });
        const row = await load(session);
        if (row.rowSeq < atLeast) throw new Error(`The row of ${session} is behind entry ${atLeast}.`);
        const [shown] = await parts.toWire([row]);
        if (!shown) throw new ApiError(500, 'api_error', `Session ${session} lost its agent.`);
        return shown;
      }),

    prepare: ({ session, events }) =>
      answered(async () => {
        const body = check(sendBody, { events });
        const row = await load(session);
        const sent = await resolveOutcomes(parts.deps, row, body.events, 'events');
        return await prepareForSession(parts, row, sent);
      }),

    inputs: async (session) => ((await load(session)).inputsRev > 0 ? await renewInputs(deps, session) : undefined),

    place: (session) =>
      answered(async () => {
        const { workspaceId, environmentId } = await load(session);
        const environment = await findEnvironment(orm, workspaceId, environmentId);
        if (!environment) throw notFound('Environment', environmentId);
        return placementOf(deps.settings, environment);
      }),

    settle: async (session) => (await settled(session)) !== undefined,
  };
}

/** An id that depends on nothing but the key, so that whoever repeats the request meets the first one's session. */
function sessionBody(workspace: string, key: string): string {
  return `0k${createHash('sha256').update(`${workspace}\n${key}`).digest('hex').slice(0, 40)}`;
}

/** The first request wins; one that means another session must not be answered with it. */
function refuseAnother(row: SessionRow, body: ReturnType<typeof createBody.parse>): void {
  const agent = typeof body.agent === 'string' ? body.agent : body.agent.id;
  if (row.agentId === agent && row.environmentId === body.environment_id) return;
  throw new ApiError(
    409,
    'conflict_error',
    `idempotency_key: This key made session ${row.id} with agent ${row.agentId} in environment ${row.environmentId}; use another key for another session.`,
  );
}

async function answered<T>(act: () => Promise<T>): Promise<Answered<T>> {
  try {
    return { ok: true, value: await act() };
  } catch (error) {
    const known = ensureApiError(error);
    if (known.status >= 500) throw error;
    const { status, type, message, code } = known;
    return { ok: false, refused: { status, type, message, ...(code ? { error_code: code } : {}) } };
  }
}
