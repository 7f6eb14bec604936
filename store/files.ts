/** Rows of files. Their bytes are in the blob store, in the area that the row names. */
import { and, desc, eq, gt, inArray, isNull, or, type SQL, sql, sum } from 'drizzle-orm';
import type { Queries } from './database.ts';
import { after, type Position } from './pages.ts';
import { files, skillVersions } from './schema.ts';

export type FileRow = typeof files.$inferSelect;
export type NewFile = typeof files.$inferInsert;

const present = isNull(files.removedAt);
const unexpired = (now: Date): SQL | undefined => or(isNull(files.expiresAt), gt(files.expiresAt, now));

/** A second insert of the same id changes nothing. */
export async function insertFiles(db: Queries, rows: NewFile[]): Promise<void> {
  if (rows.length > 0) await db.insert(files).values(rows).onConflictDoNothing();
}

export async function findFile(db: Queries, workspaceId: string, id: string): Promise<FileRow | undefined> {
  const [row] = await db
    .select()
    .from(files)
    .where(and(eq(files.id, id), eq(files.workspaceId, workspaceId), present));
  return row;
}

/** Those of `ids` that are there, in no order. */
export async function findFiles(db: Queries, workspaceId: string, ids: string[]): Promise<FileRow[]> {
  if (ids.length === 0) return [];
  return await db
    .select()
    .from(files)
    .where(and(inArray(files.id, ids), eq(files.workspaceId, workspaceId), present));
}

/** Newest first. @param sessionId - only the files of this session. */
export async function listFiles(
  db: Queries,
  workspaceId: string,
  page: { sessionId?: string; limit: number; position?: Position },
): Promise<FileRow[]> {
  return await db
    .select()
    .from(files)
    .where(
      and(
        eq(files.workspaceId, workspaceId),
        present,
        page.sessionId === undefined ? undefined : eq(files.sessionId, page.sessionId),
        page.position && after(files.createdAt, files.id, page.position, 'desc'),
      ),
    )
    .orderBy(desc(files.createdAt), desc(files.id))
    .limit(page.limit);
}

/** Outputs keep their row, marked; the bytes of an upload are removed when no row names them any more. */
export async function removeFile(db: Queries, row: FileRow, now: Date): Promise<void> {
  if (row.origin === 'output') await db.update(files).set({ removedAt: now }).where(eq(files.id, row.id));
  else await db.delete(files).where(eq(files.id, row.id));
}

/** Bytes of a workspace's uploads; copies in sessions, and what has expired, do not count. */
export async function storedBytes(db: Queries, workspaceId: string, now: Date): Promise<number> {
  const [row] = await db
    .select({ bytes: sum(files.bytes).mapWith(Number) })
    .from(files)
    .where(and(eq(files.workspaceId, workspaceId), eq(files.origin, 'upload'), unexpired(now)));
  return row?.bytes ?? 0;
}

/** Until the transaction ends, nobody else adds to this workspace's files. */
export async function lockStorage(db: Queries, workspaceId: string): Promise<void> {
  await db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`files ${workspaceId}`}, 0))`);
}

/** Workspaces that may have bytes in the blob store. */
export async function workspacesWithBlobs(db: Queries): Promise<string[]> {
  const rows = await db.execute<{ id: string }>(sql`select id from workspaces`);
  return rows.rows.map((row) => row.id);
}

/** Those of `sha256` that a file or a skill of the workspace needs. */
export async function referredBlobs(
  db: Queries,
  workspaceId: string,
  sha256: string[],
  now: Date,
): Promise<ReadonlySet<string>> {
  if (sha256.length === 0) return new Set();
  const ofFiles = await db
    .selectDistinct({ sha256: files.sha256 })
    .from(files)
    .where(and(eq(files.area, workspaceId), inArray(files.sha256, sha256), present, unexpired(now)));
  const part = sql<string>`part->>'sha256'`;
  const ofSkills = await db
    .selectDistinct({ sha256: part })
    .from(sql`${skillVersions}, json_array_elements(${skillVersions.files}) part`)
    .where(and(eq(skillVersions.workspaceId, workspaceId), inArray(part, sha256)));
  return new Set([...ofFiles, ...ofSkills].map((row) => row.sha256));
}
