/** Session rows and the agent snapshots of each session. Status, usage and the like are written by the log store. */
import { and, asc, desc, eq, inArray, isNull, lt, max, ne, type SQL, sql } from 'drizzle-orm';
import type { Pool } from 'pg';
import type { SessionAgent, SessionStatus } from '../events/wire.ts';
import type { Queries } from './database.ts';
import { after, type Order, type Position, type TimeRange, within } from './pages.ts';
import {
  files,
  logEntries,
  logHeads,
  type SessionSkill,
  segments,
  sessionAgents,
  sessionOutcomes,
  sessionResources,
  sessions,
} from './schema.ts';

export type SessionRow = typeof sessions.$inferSelect;
export type NewSession = typeof sessions.$inferInsert;

/** Stores the row and its first agent snapshot; a second insert of the same id changes nothing. */
export async function insertSession(
  db: Queries,
  row: NewSession,
  agent: SessionAgent,
  skills: SessionSkill[] = [],
): Promise<void> {
  await db.insert(sessions).values(row).onConflictDoNothing();
  const snapshot = { sessionId: row.id, rev: 0, body: agent, skills: skills.length > 0 ? skills : null };
  await db.insert(sessionAgents).values(snapshot).onConflictDoNothing();
}

export async function findSession(db: Queries, workspaceId: string, id: string): Promise<SessionRow | undefined> {
  const [row] = await db
    .select()
    .from(sessions)
    .where(and(eq(sessions.id, id), eq(sessions.workspaceId, workspaceId)));
  return row;
}

/** Without a workspace: for work that is not done for a caller. */
export async function findSessionRow(db: Queries, id: string): Promise<SessionRow | undefined> {
  const [row] = await db.select().from(sessions).where(eq(sessions.id, id));
  return row;
}

/** How far the log of each session's primary thread is stored; sessions that are no more are missing. */
export async function sessionHeads(pool: Pool, ids: string[]): Promise<Map<string, number>> {
  const found = await pool.query<{ id: string; head: string }>(
    `select s.id, coalesce(h.head, -1) as head from sessions s
       left join log_heads h on h.session_id = s.id and h.thread = s.thread where s.id = any($1)`,
    [ids],
  );
  return new Map(found.rows.map((row) => [row.id, Number(row.head)]));
}

/** Temporal has the workflow now. */
export async function markLive(db: Queries, id: string): Promise<void> {
  await db
    .update(sessions)
    .set({ phase: 'live', startInput: null })
    .where(and(eq(sessions.id, id), eq(sessions.phase, 'creating')));
}

/** Some api has answered for entries up to `seq`: whoever reads the session waits until the log holds them. */
export async function markAccepted(db: Queries, id: string, seq: number): Promise<void> {
  await db
    .update(sessions)
    .set({ acceptedSeq: seq })
    .where(and(eq(sessions.id, id), lt(sessions.acceptedSeq, seq)));
}

export async function setPhase(
  db: Queries,
  id: string,
  from: SessionRow['phase'],
  to: SessionRow['phase'],
): Promise<void> {
  await db
    .update(sessions)
    .set({ phase: to })
    .where(and(eq(sessions.id, id), eq(sessions.phase, from)));
}

/** Removes the session and its stored log, all at once. @param alongside - runs in the same transaction. */
export async function removeSession(
  db: Queries,
  id: string,
  alongside?: (tx: Queries) => Promise<void>,
): Promise<void> {
  await db.transaction(async (tx) => {
    await alongside?.(tx);
    await tx.delete(logEntries).where(eq(logEntries.sessionId, id));
    await tx.delete(logHeads).where(eq(logHeads.sessionId, id));
    await tx.delete(segments).where(eq(segments.sessionId, id));
    await tx.delete(sessionOutcomes).where(eq(sessionOutcomes.sessionId, id));
    await tx.delete(sessionAgents).where(eq(sessionAgents.sessionId, id));
    await tx.delete(sessionResources).where(eq(sessionResources.sessionId, id));
    await tx.delete(files).where(eq(files.sessionId, id));
    await tx.delete(sessions).where(eq(sessions.id, id));
  });
}

/** Sessions that are half made or half removed since before `olderThan`. */
export async function unfinishedSessions(db: Queries, olderThan: Date, limit: number): Promise<SessionRow[]> {
  return await db
    .select()
    .from(sessions)
    .where(and(ne(sessions.phase, 'live'), lt(sessions.createdAt, olderThan)))
    .limit(limit);
}

export interface SessionFilter {
  agentId?: string;
  agentVersion?: number;
  deploymentId?: string;
  statuses?: SessionStatus[];
  includeArchived: boolean;
  createdAt: TimeRange;
}

/** @param backwards - the rows before `position` instead of those after it; still in list order. */
export async function listSessions(
  db: Queries,
  workspaceId: string,
  filter: SessionFilter,
  page: { order: Order; limit: number; position?: Position; backwards?: boolean },
): Promise<SessionRow[]> {
  const opposite: Order = page.order === 'asc' ? 'desc' : 'asc';
  const walk = page.backwards ? opposite : page.order;
  const direction = walk === 'asc' ? asc : desc;
  const conditions: (SQL | undefined)[] = [
    eq(sessions.workspaceId, workspaceId),
    ne(sessions.phase, 'deleting'),
    filter.agentId === undefined ? undefined : eq(sessions.agentId, filter.agentId),
    filter.agentVersion === undefined ? undefined : eq(sessions.agentVersion, filter.agentVersion),
    filter.deploymentId === undefined ? undefined : eq(sessions.deploymentId, filter.deploymentId),
    filter.statuses === undefined ? undefined : inArray(sessions.status, filter.statuses),
    filter.includeArchived ? undefined : isNull(sessions.archivedAt),
    within(sessions.createdAt, filter.createdAt),
    page.position && after(sessions.createdAt, sessions.id, page.position, walk),
  ];
  const rows = await db
    .select()
    .from(sessions)
    .where(and(...conditions))
    .orderBy(direction(sessions.createdAt), direction(sessions.id))
    .limit(page.limit);
  return page.backwards ? rows.reverse() : rows;
}

export async function findSessionAgent(db: Queries, sessionId: string, rev: number): Promise<SessionAgent | undefined> {
  const [row] = await db
    .select({ body: sessionAgents.body })
    .from(sessionAgents)
    .where(and(eq(sessionAgents.sessionId, sessionId), eq(sessionAgents.rev, rev)));
  return row?.body;
}

/** The snapshot of each row, at the row's own revision. */
export async function sessionAgentsOf(db: Queries, rows: SessionRow[]): Promise<Map<string, SessionAgent>> {
  const wanted = new Map(rows.map((row) => [row.id, row.agentRev]));
  if (wanted.size === 0) return new Map();
  const found = await db
    .select()
    .from(sessionAgents)
    .where(inArray(sessionAgents.sessionId, [...wanted.keys()]));
  return new Map(found.filter((row) => wanted.get(row.sessionId) === row.rev).map((row) => [row.sessionId, row.body]));
}

/** The skills that a session was made with. */
export async function findSessionSkills(db: Queries, sessionId: string): Promise<SessionSkill[]> {
  const [row] = await db
    .select({ skills: sessionAgents.skills })
    .from(sessionAgents)
    .where(and(eq(sessionAgents.sessionId, sessionId), eq(sessionAgents.rev, 0)));
  return row?.skills ?? [];
}

/** Stores a snapshot under the next free revision and returns it. The skills stay. */
export async function insertSessionAgent(db: Queries, sessionId: string, body: SessionAgent): Promise<number> {
  const skills = await findSessionSkills(db, sessionId);
  for (;;) {
    const [newest] = await db
      .select({ rev: max(sessionAgents.rev) })
      .from(sessionAgents)
      .where(eq(sessionAgents.sessionId, sessionId));
    const rev = (newest?.rev ?? -1) + 1;
    const row = { sessionId, rev, body, skills: skills.length > 0 ? skills : null };
    const stored = await db.insert(sessionAgents).values(row).onConflictDoNothing().returning();
    if (stored.length > 0) return rev;
  }
}

/** Live sessions whose workflow has not been told of all changes of its resources. */
export async function untoldSessions(db: Queries, limit: number): Promise<SessionRow[]> {
  return await db
    .select()
    .from(sessions)
    .where(
      and(
        eq(sessions.phase, 'live'),
        ne(sessions.status, 'terminated'),
        lt(sessions.inputsTold, sql`${sessions.inputsRev}`),
      ),
    )
    .limit(limit);
}

/** Ids of the sessions of an environment, newest first; for messages that say why it cannot be deleted. */
export async function sessionsOfEnvironment(db: Queries, environmentId: string, limit: number): Promise<string[]> {
  const rows = await db
    .select({ id: sessions.id })
    .from(sessions)
    .where(eq(sessions.environmentId, environmentId))
    .orderBy(desc(sessions.createdAt))
    .limit(limit);
  return rows.map((row) => row.id);
}
