/** What sessions were given: rows of file resources, each with the session's own copy of its file. */
import { and, asc, eq, getTableColumns, inArray, sql } from 'drizzle-orm';
import type { Queries } from './database.ts';
import { insertFiles, type NewFile } from './files.ts';
import { after, type Position } from './pages.ts';
import { files, sessionResources, sessions } from './schema.ts';

export type ResourceRow = typeof sessionResources.$inferSelect;
export type NewResource = typeof sessionResources.$inferInsert;

/** A second insert of the same ids changes nothing. */
export async function insertResources(db: Queries, resources: NewResource[], copies: NewFile[]): Promise<void> {
  await insertFiles(db, copies);
  if (resources.length === 0) return;
  await db.insert(sessionResources).values(resources).onConflictDoNothing({ target: sessionResources.id });
}

/** In the order in which they were given. */
export async function listResources(
  db: Queries,
  sessionIds: string[],
  page: { limit?: number; position?: Position } = {},
): Promise<ResourceRow[]> {
  if (sessionIds.length === 0) return [];
  const query = db
    .select()
    .from(sessionResources)
    .where(
      and(
        inArray(sessionResources.sessionId, sessionIds),
        page.position && after(sessionResources.createdAt, sessionResources.id, page.position, 'asc'),
      ),
    )
    .orderBy(asc(sessionResources.createdAt), asc(sessionResources.id));
  return await (page.limit === undefined ? query : query.limit(page.limit));
}

export async function findResource(db: Queries, sessionId: string, id: string): Promise<ResourceRow | undefined> {
  const [row] = await db
    .select()
    .from(sessionResources)
    .where(and(eq(sessionResources.id, id), eq(sessionResources.sessionId, sessionId)));
  return row;
}

/** Removes a resource and the session's copy of its file. */
export async function deleteResource(db: Queries, row: ResourceRow): Promise<void> {
  await db.delete(sessionResources).where(eq(sessionResources.id, row.id));
  await db.delete(files).where(and(eq(files.id, row.fileId), eq(files.sessionId, row.sessionId)));
}

/** The resources with the bytes that they stand for. */
export async function resourceFiles(
  db: Queries,
  sessionId: string,
): Promise<(ResourceRow & { sha256: string; bytes: number })[]> {
  return await db
    .select({ ...getTableColumns(sessionResources), sha256: files.sha256, bytes: files.bytes })
    .from(sessionResources)
    .innerJoin(files, eq(files.id, sessionResources.fileId))
    .where(eq(sessionResources.sessionId, sessionId));
}

/** Until the transaction ends, nobody else changes this session's resources. @returns the number of the change. */
export async function nextInputsRev(db: Queries, sessionId: string): Promise<number> {
  const [row] = await db
    .update(sessions)
    .set({ inputsRev: sql`${sessions.inputsRev} + 1` })
    .where(eq(sessions.id, sessionId))
    .returning({ rev: sessions.inputsRev });
  return row?.rev ?? 0;
}

/** The workflow knows of the change `rev`. */
export async function markInputsTold(db: Queries, sessionId: string, rev: number): Promise<void> {
  await db
    .update(sessions)
    .set({ inputsTold: sql`greatest(${sessions.inputsTold}, ${rev})` })
    .where(eq(sessions.id, sessionId));
}
