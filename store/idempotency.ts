/**
 * One row for every request that changes something, written before it acts, so that a retry meets the first outcome.
 *
 * The difficulty: an SDK's first attempt says nothing, and only its second one says "I am a retry"; and two equal
 * requests that are both first attempts are two requests. So a retry has to find the row of its own first attempt:
 * - the newest row of the same key, method, path and body within 10 minutes,
 * - whose answer has not gone out in full (a client that has its answer does not retry),
 * - which no attempt of the same or a higher number has taken (two equal requests that both failed, and both retry,
 *   find a row each: their bodies are the same, so it does not matter which),
 * - and which nobody is still waiting on: no connection of this process, and none of another that lives (`holder`).
 * A retry that finds none is a first attempt: the earlier one never arrived.
 */
import { and, desc, eq, gt, isNull, like, lt, notInArray, or, sql } from 'drizzle-orm';
import type { Queries } from './database.ts';
import { isAbsent } from './presence.ts';
import { idempotency } from './schema.ts';

/** How long a first outcome is kept, ms. */
export const KEPT_MS = 600_000;
/** Begins the keys of requests that came without an `Idempotency-Key`. */
const ONCE = 'once:';

export interface Attempt {
  workspaceId: string;
  /** SHA-256 of API key, method, path and body. */
  fingerprint: Buffer;
  /** The client's `Idempotency-Key`. */
  key?: string;
  /** 0 for a first attempt. */
  number: number;
  /** Used when this attempt gets a row of its own. */
  requestId: string;
  /** Requests that live connections of this process wait on. */
  busy: string[];
  /** This process's presence, or null while it has none. */
  holder: number | null;
  now: Date;
}

export type Claim =
  /** Act, under this id; `since` is when the request was first seen. */
  | { kind: 'act'; requestId: string; since: Date }
  | { kind: 'answered'; requestId: string; status: number; body: string }
  /** The `Idempotency-Key` belongs to another request. */
  | { kind: 'mismatch' };

/** Finds the row of an earlier attempt, or writes the row of this one. */
export async function claim(db: Queries, attempt: Attempt): Promise<Claim> {
  const { workspaceId, fingerprint, requestId, now } = attempt;
  const earlier = attempt.key === undefined && attempt.number > 0 ? await takeEarlier(db, attempt) : undefined;
  if (earlier) return earlier;
  const key = attempt.key === undefined ? `${ONCE}${requestId}` : `key:${attempt.key}`;
  const row = {
    workspaceId,
    key,
    fingerprint,
    requestId,
    holder: attempt.holder,
    attempt: attempt.number,
    createdAt: now,
  };
  const inserted = await db.insert(idempotency).values(row).onConflictDoNothing().returning();
  if (inserted.length > 0) return { kind: 'act', requestId, since: now };
  return await joinKey(db, attempt, key);
}

/** One statement: of two retries that meet, the second waits, and goes on to the next row. */
async function takeEarlier(db: Queries, attempt: Attempt): Promise<Claim | undefined> {
  const newest = db
    .select({ requestId: idempotency.requestId })
    .from(idempotency)
    .where(
      and(
        eq(idempotency.workspaceId, attempt.workspaceId),
        eq(idempotency.fingerprint, attempt.fingerprint),
        like(idempotency.key, `${ONCE}%`),
        gt(idempotency.createdAt, new Date(attempt.now.getTime() - KEPT_MS)),
        isNull(idempotency.deliveredAt),
        lt(idempotency.attempt, attempt.number),
        attempt.busy.length > 0 ? notInArray(idempotency.requestId, attempt.busy) : undefined,
        or(
          isNull(idempotency.holder),
          attempt.holder === null ? undefined : eq(idempotency.holder, attempt.holder),
          isAbsent(idempotency.holder),
        ),
      ),
    )
    .orderBy(desc(idempotency.createdAt))
    .limit(1)
    .for('update');
  const [row] = await db
    .update(idempotency)
    .set({ attempt: attempt.number, holder: attempt.holder })
    .where(sql`${idempotency.requestId} = (${newest})`)
    .returning();
  return row && toClaim(row);
}

async function joinKey(db: Queries, attempt: Attempt, key: string): Promise<Claim> {
  const { workspaceId, fingerprint, requestId, holder, now } = attempt;
  const where = and(eq(idempotency.workspaceId, workspaceId), eq(idempotency.key, key));
  const [row] = await db.select().from(idempotency).where(where);
  if (row && row.createdAt.getTime() > now.getTime() - KEPT_MS) {
    return row.fingerprint.equals(fingerprint) ? toClaim(row) : { kind: 'mismatch' };
  }
  // Too old to count: the key is free again.
  await db.delete(idempotency).where(and(where, lt(idempotency.createdAt, new Date(now.getTime() - KEPT_MS + 1))));
  await db
    .insert(idempotency)
    .values({ workspaceId, key, fingerprint, requestId, holder, attempt: attempt.number, createdAt: now })
    .onConflictDoNothing();
  const [fresh] = await db.select().from(idempotency).where(where);
  if (!fresh?.fingerprint.equals(fingerprint)) return { kind: 'mismatch' };
  return toClaim(fresh);
}

function toClaim(row: typeof idempotency.$inferSelect): Claim {
  if (row.status !== null && row.body !== null) {
    return { kind: 'answered', requestId: row.requestId, status: row.status, body: row.body };
  }
  return { kind: 'act', requestId: row.requestId, since: row.createdAt };
}

/**
 * Inside the transaction of a request's effects: waits for another attempt that acts under the same id, and returns the
 * outcome if that one has finished.
 */
export async function lockOutcome(
  db: Queries,
  requestId: string,
): Promise<{ status: number; body: string } | undefined> {
  const [row] = await db.select().from(idempotency).where(eq(idempotency.requestId, requestId)).for('update');
  return row && row.status !== null && row.body !== null ? { status: row.status, body: row.body } : undefined;
}

/** Records the outcome; in the transaction of the effects where they are in this database. */
export async function recordOutcome(db: Queries, requestId: string, status: number, body: string): Promise<void> {
  await db.update(idempotency).set({ status, body }).where(eq(idempotency.requestId, requestId));
}

/** The answer has gone out in full. */
export async function recordDelivery(db: Queries, requestId: string, now: Date): Promise<void> {
  await db.update(idempotency).set({ deliveredAt: now }).where(eq(idempotency.requestId, requestId));
}

/** Nobody waits for the answer any more, or it was "try again": a retry that reaches any api may take the request. */
export async function releaseRequest(db: Queries, requestId: string, holder: number | null): Promise<void> {
  if (holder === null) return;
  await db
    .update(idempotency)
    .set({ holder: null })
    .where(and(eq(idempotency.requestId, requestId), eq(idempotency.holder, holder)));
}

/** Nothing has been done: the request was refused. */
export async function forgetRequest(db: Queries, requestId: string): Promise<void> {
  await db.delete(idempotency).where(eq(idempotency.requestId, requestId));
}

/** Removes rows that nobody can join any more. */
export async function removeOldOutcomes(db: Queries, now: Date): Promise<void> {
  await db.delete(idempotency).where(lt(idempotency.createdAt, new Date(now.getTime() - KEPT_MS)));
}
