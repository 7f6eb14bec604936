/** What the routes of sessions, events, streams and threads share. */
import type { Session, SessionAgent } from '../events/wire.ts';
import { listResources } from '../store/session-resources.ts';
import { findSession, findSessionAgent, type SessionRow, sessionAgentsOf } from '../store/sessions.ts';
import { type Accepted, createAccepted } from './accepted.ts';
import type { ApiDeps, Caller } from './context.ts';
import { ApiError, notFound } from './errors.ts';
import type { Frames } from './frames.ts';
import { outcomeEvaluations } from './outcomes.ts';
import { createSessionLife, type SessionLife } from './session-life.ts';
import { toSession } from './session-object.ts';

export interface SessionParts {
  deps: ApiDeps;
  accepted: Accepted;
  life: SessionLife;
  /** Open streams, to be ended when the process ends. */
  streams: Set<Pick<Frames, 'end'>>;
  /** The caller's session, whole: a half-made one is finished first. @throws ApiError 404 */
  load(caller: Pick<Caller, 'workspaceId'>, id: string): Promise<SessionRow>;
  /** As `load`, once the row shows everything that any api has answered for. */
  loadSettled(caller: Pick<Caller, 'workspaceId'>, id: string): Promise<SessionRow>;
  agentOf(row: SessionRow): Promise<SessionAgent>;
  toWire(rows: SessionRow[]): Promise<Session[]>;
  /** Runs `act` after whatever else this process is changing in the session: what does not meet need not be repeated. */
  inTurn<T>(sessionId: string, act: () => Promise<T>): Promise<T>;
}

export function createSessionParts(deps: ApiDeps): SessionParts {
  const { orm } = deps.database;
  const accepted = createAccepted(orm, deps.logStore);
  const life = createSessionLife(deps);
  const turns = new Map<string, Promise<unknown>>();

  async function find(caller: Pick<Caller, 'workspaceId'>, id: string): Promise<SessionRow> {
    const row = await findSession(orm, caller.workspaceId, id);
    if (!row) throw notFound('Session', id);
    return row;
  }

  const parts: SessionParts = {
    deps,
    accepted,
    life,
    streams: new Set(),

    async load(caller, id) {
      const row = await find(caller, id);
      if (row.phase === 'live') return row;
      await life.finish(row);
      return await find(caller, id);
    },

    async loadSettled(caller, id) {
      const row = await parts.load(caller, id);
      if (row.rowSeq >= row.acceptedSeq) return row;
      await accepted.stored(row);
      return await find(caller, id);
    },

    async agentOf(row) {
      const agent = await findSessionAgent(orm, row.id, row.agentRev);
      if (!agent)
        throw new ApiError(500, 'api_error', `The agent of session ${row.id} at revision ${row.agentRev} is missing.`);
      return agent;
    },

    async toWire(rows) {
      const ids = rows.map((row) => row.id);
      const [agents, outcomes] = await Promise.all([sessionAgentsOf(orm, rows), outcomeEvaluations(deps, ids)]);
      const resources = Map.groupBy(
        await listResources(
          orm,
          rows.filter((row) => row.inputsRev > 0).map((row) => row.id),
        ),
        (resource) => resource.sessionId,
      );
      const now = deps.now();
      return rows.flatMap((row) => {
        const agent = agents.get(row.id);
        if (!agent) return [];
        return [toSession(row, agent, resources.get(row.id) ?? [], outcomes.get(row.id) ?? [], now)];
      });
    },

    async inTurn(sessionId, act) {
      const before = turns.get(sessionId) ?? Promise.resolve();
      const work = before.then(act, act);
      const settled = work.catch(() => undefined);
      turns.set(sessionId, settled);
      try {
        return await work;
      } finally {
        if (turns.get(sessionId) === settled) turns.delete(sessionId);
      }
    },
  };
  return parts;
}
