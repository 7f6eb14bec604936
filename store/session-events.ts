/**
 * A thread's events as lists show them: each once, in its latest state, in the order of its first appearance. The
 * position of an event is the seq of its first appearance, so a cursor stays valid when `processed_at` fills in.
 */
import type { Pool } from 'pg';
import type { EventEntry } from '../events/entry.ts';
import type { Order, TimeRange } from './pages.ts';

export interface EventQuery {
  order: Order;
  limit: number;
  /** Only events that stand after this seq, in `order`. */
  after?: number;
  types?: string[];
  /** Compared with `processed_at`; an event that is not processed yet matches no bound. */
  processedAt?: TimeRange;
}

export async function listEventEntries(
  pool: Pool,
  sessionId: string,
  thread: string,
  query: EventQuery,
): Promise<EventEntry[]> {
  const values: unknown[] = [sessionId, thread];
  const value = (item: unknown) => `$${values.push(item)}`;
  const conditions = [
    'e.session_id = $1 and e.thread = $2 and e.type is not null',
    'e.seq <= (select head from log_heads where session_id = $1 and thread = $2)',
  ];
  if (query.after !== undefined) conditions.push(`e.seq ${query.order === 'asc' ? '>' : '<'} ${value(query.after)}`);
  if (query.types) conditions.push(`e.type = any(${value(query.types)}::text[])`);
  const at = 'e.processed_at';
  const { gt, gte, lt, lte } = query.processedAt ?? {};
  if (gt) conditions.push(`${at} > ${value(gt.toISOString())}::timestamptz`);
  if (gte) conditions.push(`${at} >= ${value(gte.toISOString())}::timestamptz`);
  if (lt) conditions.push(`${at} < ${value(lt.toISOString())}::timestamptz`);
  if (lte) conditions.push(`${at} <= ${value(lte.toISOString())}::timestamptz`);
  const result = await pool.query<{ body: string; processed: Date | null }>(
    `select e.body, e.processed_at as processed from log_entries e
      where ${conditions.join(' and ')}
      order by e.seq ${query.order} limit ${value(query.limit)}`,
    values,
  );
  return result.rows.map(({ body, processed }) => {
    const entry = JSON.parse(body) as EventEntry;
    // Set later than the entry was written: the event has been taken into a turn since.
    if (processed && entry.event.processed_at == null) entry.event.processed_at = processed.toISOString();
    return entry;
  });
}
