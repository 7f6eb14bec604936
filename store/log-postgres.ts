/** {@link LogStore} over PostgreSQL. One `append` is one statement: one round trip, one transaction. */
import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { isEventEntry, type LogEntry } from '../events/entry.ts';
import type { Carry } from '../workflows/contract.ts';
import { LogConflict, type LogStore } from './log.ts';

/** SQLSTATE that `longhand_append` raises; the message is the conflicting seq. */
const CONFLICT = 'LH001';
const READ_PAGE = 5_000;

/** @param pool - connections to a database that has the migrations. */
export function createLogStore(pool: Pool): LogStore {
  return {
    async append(carry) {
      const rows = carry.entries.map(entryRow);
      try {
        const result = await pool.query<{ head: string }>(
          `select longhand_append($1, $2, $3, $4::bigint[], $5::bytea[], $6::text[], $7::text[], $8::text[],
             $9::bigint[], $10::timestamptz[], $11::json) as head, longhand_note_outcomes($1, $2, $11::json)`,
          [
            carry.session,
            carry.thread,
            carry.run,
            rows.map((row) => row.seq),
            rows.map((row) => row.hash),
            rows.map((row) => row.body),
            rows.map((row) => row.type),
            rows.map((row) => row.eventId),
            rows.map((row) => row.ofSeq),
            rows.map((row) => row.processedAt),
            JSON.stringify({ ...carry.row, patches: rowPatches(carry) }),
          ],
        );
        return Number(result.rows[0]?.head ?? -1);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === CONFLICT) {
          throw new LogConflict(carry.session, carry.thread, Number(error.message));
        }
        throw error;
      }
    },

    async head(sessionId, thread) {
      const result = await pool.query<{ head: string }>(
        'select head from log_heads where session_id = $1 and thread = $2',
        [sessionId, thread],
      );
      return Number(result.rows[0]?.head ?? -1);
    },

    async read(sessionId, thread, from, to, limit = READ_PAGE) {
      const result = await pool.query<{ body: string }>(
        `select body from log_entries where session_id = $1 and thread = $2 and seq >= $3
           and seq <= least($4::bigint, (select head from log_heads where session_id = $1 and thread = $2))
         order by seq limit $5`,
        [sessionId, thread, from, to ?? Number.MAX_SAFE_INTEGER, limit],
      );
      return result.rows.map((row) => JSON.parse(row.body) as LogEntry);
    },
  };
}

interface EntryRow {
  seq: number;
  hash: Buffer;
  body: string;
  type: string | null;
  eventId: string | null;
  ofSeq: number | null;
  processedAt: string | null;
}

function entryRow(entry: LogEntry): EntryRow {
  const body = JSON.stringify(entry);
  const hash = createHash('sha256').update(body).digest();
  if (!isEventEntry(entry)) {
    return { seq: entry.seq, hash, body, type: null, eventId: null, ofSeq: entry.of, processedAt: entry.processed_at };
  }
  const processedAt = entry.event.processed_at ?? null;
  return { seq: entry.seq, hash, body, type: entry.event.type, eventId: entry.event.id, ofSeq: null, processedAt };
}

/** What `session.updated` entries change in the session's row, oldest first. */
function rowPatches(carry: Carry): unknown[] {
  return carry.entries.flatMap((entry) =>
    isEventEntry(entry) && entry.private?.row
      ? [{ seq: entry.seq, set_title: 'title' in entry.private.row, ...entry.private.row }]
      : [],
  );
}
