/** Workspaces and API keys. A key has 256 random bits, so a plain SHA-256 of it is enough to keep. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { asc, eq } from 'drizzle-orm';
import type { Queries } from './database.ts';
import { apiKeys, workspaces } from './schema.ts';

export { DEFAULT_WORKSPACE } from '../events/ids.ts';

export interface ApiKey {
  id: string;
  workspaceId: string;
  name: string;
  /** First characters, to tell keys apart. */
  hint: string;
  createdAt: Date;
  revokedAt: Date | null;
}

/** Makes a key: `lh-` and 256 random bits. Shown once, never stored. */
export function newApiKey(): string {
  return `lh-${randomBytes(32).toString('base64url')}`;
}

export async function createWorkspace(db: Queries, id: string, name: string, now: Date): Promise<void> {
  await db.insert(workspaces).values({ id, name, createdAt: now }).onConflictDoNothing();
}

export async function listWorkspaces(db: Queries): Promise<{ id: string; name: string; createdAt: Date }[]> {
  return await db.select().from(workspaces).orderBy(asc(workspaces.createdAt));
}

/**
 * Lets `key` in. A key that is known already keeps its row, and is let in again if it had been revoked: whoever sets
 * `LONGHAND_API_KEY` means it.
 */
export async function ensureApiKey(
  db: Queries,
  key: string,
  as: { id: string; workspaceId: string; name: string; now: Date },
): Promise<void> {
  const { id, workspaceId, name, now } = as;
  await createWorkspace(db, workspaceId, workspaceId, now);
  await db
    .insert(apiKeys)
    .values({ id, workspaceId, name, hint: hint(key), hash: hashKey(key), createdAt: now })
    .onConflictDoUpdate({ target: apiKeys.hash, set: { revokedAt: null } });
}

/** The row of a key that may come in; undefined for unknown and revoked ones. */
export async function authenticate(db: Queries, key: string): Promise<ApiKey | undefined> {
  const hash = hashKey(key);
  const [row] = await db.select().from(apiKeys).where(eq(apiKeys.hash, hash));
  // The index compares hashes, which tell a guesser nothing; the last word is still a comparison in constant time.
  if (!row || row.revokedAt !== null || !timingSafeEqual(row.hash, hash)) return undefined;
  return row;
}

export async function listApiKeys(db: Queries): Promise<ApiKey[]> {
  return await db.select().from(apiKeys).orderBy(asc(apiKeys.createdAt));
}

/** @returns false when no key has that id. */
export async function revokeApiKey(db: Queries, id: string, now: Date): Promise<boolean> {
  const rows = await db.update(apiKeys).set({ revokedAt: now }).where(eq(apiKeys.id, id)).returning({ id: apiKeys.id });
  return rows.length > 0;
}

function hashKey(key: string): Buffer {
  return createHash('sha256').update(key, 'utf8').digest();
}

/** Enough to recognise a key, too little to guess it: never more than a quarter of it. */
function hint(key: string): string {
  return key.slice(0, Math.min(8, Math.floor(key.length / 4)));
}
