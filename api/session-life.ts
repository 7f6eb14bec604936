/**
 * The two moments at which a session exists in one place and not in the other: being made (row, then workflow) and being
 * removed (workflow, then row). Either can be broken off by a crash; whoever meets the row finishes the job.
 */
import { SessionClosedError } from '../client/session.ts';
import { idBody } from '../events/ids.ts';
import type { EventOf } from '../events/wire.ts';
import type { Queries } from '../store/database.ts';
import {
  findSessionRow,
  markLive,
  removeSession,
  type SessionRow,
  setPhase,
  unfinishedSessions,
} from '../store/sessions.ts';
import type { SessionAnswer, SessionInput } from '../workflows/contract.ts';
import { until } from './accepted.ts';
import { type ApiDeps, makeId } from './context.ts';
import { ApiError, type ErrorType, loggable } from './errors.ts';

/** How long the workflow of a deleted session may take to close; its last publish must not outlive the rows. */
const CLOSE_MS = 10_000;
/** A row that is half made for longer than this was left by a crash. */
const LEFT_BEHIND_MS = 5_000;
const SWEEP_ROWS = 100;

export interface SessionLife {
  /** Starts the workflow of a row that is `creating`. */
  start(row: SessionRow): Promise<void>;
  /**
   * Removes the session everywhere. `alongside` runs in the transaction that removes its rows.
   * @throws ApiError 400 while it is running; then nothing has changed.
   */
  remove(row: SessionRow, requestId: string, alongside?: (tx: Queries) => Promise<void>): Promise<void>;
  /** Finishes whatever a crash left half done; does nothing to a live session. */
  finish(row: SessionRow): Promise<void>;
  /** The same for all sessions, as far as nobody else is at it. */
  sweep(): Promise<void>;
}

/** The event that ends the streams of a deleted session; its id depends on nothing that could be lost. */
export function deletedEvent(thread: string, processed_at: string): EventOf<'session.deleted'> {
  return { type: 'session.deleted', id: `sevt_${idBody(thread)}d`, processed_at };
}

export function createSessionLife(deps: ApiDeps): SessionLife {
  const { database, sessionClient, blobs, bus } = deps;
  const underWay = new Map<string, Promise<void>>();

  /** Two who want the same for a session share one attempt. */
  function together(key: string, act: () => Promise<void>): Promise<void> {
    const present = underWay.get(key);
    if (present) return present;
    const work = act().finally(() => underWay.delete(key));
    underWay.set(key, work);
    return work;
  }

  async function start(row: SessionRow): Promise<void> {
    await sessionClient.start(row.startInput as SessionInput);
    await markLive(database.orm, row.id);
  }

  async function remove(row: SessionRow, requestId: string, alongside?: (tx: Queries) => Promise<void>): Promise<void> {
    await setPhase(database.orm, row.id, 'live', 'deleting');
    const answer = await postDelete(row.id, requestId);
    if (answer && !answer.ok) {
      await setPhase(database.orm, row.id, 'deleting', 'live');
      throw refusal(answer);
    }
    await until(async () => !(await sessionClient.isOpen(row.id)), CLOSE_MS);
    await sessionClient.erase(row.id);
    await blobs.removeArea(row.id);
    await removeSession(database.orm, row.id, alongside);
    const { id, processed_at } = deletedEvent(row.thread, new Date(deps.now()).toISOString());
    await bus
      .publish({ kind: 'deleted', session: row.id, event_id: id, processed_at })
      .catch((error: unknown) =>
        deps.log.warn({ err: loggable(error) }, 'streams of a deleted session were not told at once'),
      );
  }

  async function postDelete(sessionId: string, requestId: string): Promise<SessionAnswer | undefined> {
    try {
      return await sessionClient.post(sessionId, requestId, { op: 'delete' });
    } catch (error) {
      if (error instanceof SessionClosedError) return undefined;
      throw error;
    }
  }

  const life: SessionLife = {
    start: (row) => together(`start ${row.id}`, () => start(row)),
    remove: (row, requestId, alongside) => together(`remove ${row.id}`, () => remove(row, requestId, alongside)),

    async finish(row) {
      if (row.phase === 'creating') await life.start(row);
      if (row.phase !== 'deleting') return;
      await life.remove(row, makeId(deps, 'heal')).catch((error: unknown) => {
        // It was running after all: it lives on.
        if (!(error instanceof ApiError && error.status < 500)) throw error;
      });
    },

    async sweep() {
      const before = new Date(deps.now() - LEFT_BEHIND_MS);
      for (const row of await unfinishedSessions(database.orm, before, SWEEP_ROWS)) {
        const fresh = await findSessionRow(database.orm, row.id);
        if (!fresh) continue;
        await life.finish(fresh).catch((error: unknown) => {
          deps.log.warn(
            { err: loggable(error), session: row.id, phase: row.phase },
            'a half-made session could not be finished yet',
          );
        });
      }
    },
  };
  return life;
}

/** What a workflow refused, as the caller sees it. */
export function refusal(answer: Extract<SessionAnswer, { ok: false }>): ApiError {
  return new ApiError(answer.status, answer.type as ErrorType, answer.message, { code: answer.error_code });
}
