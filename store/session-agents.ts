/** What a session's agent is at a revision. It never changes once written, so each worker asks once. */
import type { Pool } from 'pg';
import type { SessionAgent } from '../events/wire.ts';
import type { SessionSkill } from './schema.ts';

const KEPT = 1_000;

export interface AgentSnapshot {
  agent: SessionAgent;
  /** Without their files. */
  skills: { name: string; description: string }[];
}

export function sessionAgentOf(pool: Pool): (sessionId: string, rev: number) => Promise<AgentSnapshot> {
  const kept = new Map<string, AgentSnapshot>();
  return async (sessionId, rev) => {
    const key = `${sessionId}/${rev}`;
    const known = kept.get(key);
    if (known) return known;
    const result = await pool.query<{ body: SessionAgent; skills: SessionSkill[] | null }>(
      'select body, skills from session_agents where session_id = $1 and rev = $2',
      [sessionId, rev],
    );
    const [row] = result.rows;
    if (!row) throw new Error(`The agent of session ${sessionId} at revision ${rev} is not stored.`);
    const skills = (row.skills ?? []).map(({ name, description }) => ({ name, description }));
    const snapshot = { agent: row.body, skills };
    kept.set(key, snapshot);
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT) break;
      kept.delete(oldest);
    }
    return snapshot;
  };
}
