/** What the lists of stored objects have in common: newest first, keyset pages. */
import { and, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';

/** Where a page begins: after this object, in the list's order. */
export interface Position {
  /** ms since the epoch. */
  createdAt: number;
  id: string;
}

export type Order = 'asc' | 'desc';

export interface TimeRange {
  gt?: Date;
  gte?: Date;
  lt?: Date;
  lte?: Date;
}

/** Rows that stand after `position` in `order`. */
export function after(createdAt: PgColumn, id: PgColumn, position: Position, order: Order): SQL {
  const at = new Date(position.createdAt).toISOString();
  return order === 'asc'
    ? sql`(${createdAt}, ${id}) > (${at}::timestamptz, ${position.id})`
    : sql`(${createdAt}, ${id}) < (${at}::timestamptz, ${position.id})`;
}

/** Rows whose `column` lies in `range`; undefined when it has no bounds. */
export function within(column: SQL | PgColumn, range: TimeRange): SQL | undefined {
  const bounds: SQL[] = [];
  const bound = (at: Date) => sql`${at.toISOString()}::timestamptz`;
  if (range.gt) bounds.push(sql`${column} > ${bound(range.gt)}`);
  if (range.gte) bounds.push(sql`${column} >= ${bound(range.gte)}`);
  if (range.lt) bounds.push(sql`${column} < ${bound(range.lt)}`);
  if (range.lte) bounds.push(sql`${column} <= ${bound(range.lte)}`);
  return and(...bounds);
}
