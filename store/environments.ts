/** Environments. `body` is the whole wire object. */
import type { BetaEnvironment } from '@anthropic-ai/sdk/resources/beta/environments';
import { and, desc, eq, isNull } from 'drizzle-orm';
import type { Queries } from './database.ts';
import { after, type Position } from './pages.ts';
import { environments } from './schema.ts';

export type Environment = BetaEnvironment;

/** A second insert of the same id changes nothing. */
export async function insertEnvironment(db: Queries, workspaceId: string, environment: Environment): Promise<void> {
  await db
    .insert(environments)
    .values({ id: environment.id, workspaceId, body: environment, createdAt: new Date(environment.created_at) })
    .onConflictDoNothing();
}

/** @param lock - `share` keeps the environment from being deleted, `update` from being changed, until the end. */
export async function findEnvironment(
  db: Queries,
  workspaceId: string,
  id: string,
  lock?: 'update' | 'share',
): Promise<Environment | undefined> {
  const query = db
    .select({ body: environments.body })
    .from(environments)
    .where(and(eq(environments.id, id), eq(environments.workspaceId, workspaceId)));
  const [row] = await (lock ? query.for(lock) : query);
  return row?.body as Environment | undefined;
}

export async function saveEnvironment(db: Queries, workspaceId: string, environment: Environment): Promise<void> {
  const { id, archived_at } = environment;
  await db
    .update(environments)
    .set({ body: environment, archivedAt: archived_at === null ? null : new Date(archived_at) })
    .where(and(eq(environments.id, id), eq(environments.workspaceId, workspaceId)));
}

export async function deleteEnvironment(db: Queries, workspaceId: string, id: string): Promise<void> {
  await db.delete(environments).where(and(eq(environments.id, id), eq(environments.workspaceId, workspaceId)));
}

/** Newest first. */
export async function listEnvironments(
  db: Queries,
  workspaceId: string,
  includeArchived: boolean,
  limit: number,
  position?: Position,
): Promise<Environment[]> {
  const rows = await db
    .select({ body: environments.body })
    .from(environments)
    .where(
      and(
        eq(environments.workspaceId, workspaceId),
        includeArchived ? undefined : isNull(environments.archivedAt),
        position && after(environments.createdAt, environments.id, position, 'desc'),
      ),
    )
    .orderBy(desc(environments.createdAt), desc(environments.id))
    .limit(limit);
  return rows.map((row) => row.body as Environment);
}
