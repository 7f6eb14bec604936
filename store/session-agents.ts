/** What a session's agent is at a revision. It never changes once written, so each worker asks once. */
import type { Pool } from 'pg';
import type { SessionAgent } from '../events/wire.ts';

const KEPT = 1_000;

export function sessionAgentOf(pool: Pool): (sessionId: string, rev: number) => Promise<SessionAgent> {
  const kept = new Map<string, SessionAgent>();
  return async (sessionId, rev) => {
    const key = `${sessionId}/${rev}`;
    const known = kept.get(key);
    if (known) return known;
    const result = await pool.query<{ body: SessionAgent }>(
      'select body from session_agents where session_id = $1 and rev = $2',
      [sessionId, rev],
    );
    const body = result.rows[0]?.body;
    if (!body) throw new Error(`The agent of session ${sessionId} at revision ${rev} is not stored.`);
    kept.set(key, body);
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT) break;
      kept.delete(oldest);
    }
    return body;
  };
}
