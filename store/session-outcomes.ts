/** The outcomes of sessions: where each stands, and the words of the log that belong to it. */
import type { Pool } from 'pg';
import type { EventEntry } from '../events/entry.ts';

export interface OutcomeRow {
  sessionId: string;
  outcomeId: string;
  result: string;
  iteration: number;
  completedAt: Date | null;
  /** Its `user.define_outcome`. */
  defined: EventEntry | null;
  /** The newest end of an evaluation. */
  explained: EventEntry | null;
}

/** Oldest first within each session. */
export async function outcomesOf(pool: Pool, sessionIds: string[]): Promise<OutcomeRow[]> {
  if (sessionIds.length === 0) return [];
  const { rows } = await pool.query<{
    session_id: string;
    outcome_id: string;
    result: string;
    iteration: number;
    completed_at: Date | null;
    defined: string | null;
    explained: string | null;
  }>(
    `select o.session_id, o.outcome_id, o.result, o.iteration, o.completed_at, d.body as defined, e.body as explained
      from session_outcomes o
      left join log_entries d on d.session_id = o.session_id and d.thread = o.thread and d.seq = o.define_seq
      left join log_entries e on e.session_id = o.session_id and e.thread = o.thread and e.seq = o.explained_seq
      where o.session_id = any($1) order by o.session_id, o.define_seq`,
    [sessionIds],
  );
  return rows.map((row) => ({
    sessionId: row.session_id,
    outcomeId: row.outcome_id,
    result: row.result,
    iteration: row.iteration,
    completedAt: row.completed_at,
    defined: entryIn(row.defined),
    explained: entryIn(row.explained),
  }));
}

function entryIn(body: string | null): EventEntry | null {
  return body === null ? null : (JSON.parse(body) as EventEntry);
}
