/** Page cursors: opaque to clients, a small JSON object to us. */
import { z } from '@hono/zod-openapi';
import type { Position } from '../store/pages.ts';
import { id } from './common.ts';
import { type ApiError, invalid } from './errors.ts';

/** The end of the year 9999, and of PostgreSQL's `integer`. */
const LAST_MS = 253_402_300_799_999;
const LAST_NUMBER = 2_147_483_647;

const cursorSchema = z.strictObject({
  /** Which list it belongs to. */
  l: z.string(),
  o: z.enum(['asc', 'desc']),
  /** Position: ms and id, or a number. Clients can make cursors too: nothing that the database could stumble over. */
  p: z.union([z.strictObject({ createdAt: z.int().min(0).max(LAST_MS), id }), z.int().min(0).max(LAST_NUMBER)]),
  /** Walks towards the beginning. */
  b: z.literal(true).optional(),
});

export type Cursor = z.output<typeof cursorSchema>;

export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

/** @throws ApiError 400 when the cursor is not of this list and order. */
export function decodeCursor(page: string | null | undefined, list: string, order: Cursor['o']): Cursor | undefined {
  if (page === undefined || page === null || page === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(page, 'base64url').toString('utf8'));
  } catch {
    value = undefined;
  }
  const cursor = cursorSchema.safeParse(value);
  if (!cursor.success || cursor.data.l !== list) {
    throw notOfThisList();
  }
  if (cursor.data.o !== order) {
    throw invalid('page', `This cursor belongs to order=${cursor.data.o}; a cursor cannot change the order.`);
  }
  return cursor.data;
}

/** The position that a cursor of stored objects holds. @throws ApiError 400 when it holds another kind. */
export function objectPosition(cursor: Cursor | undefined): Position | undefined {
  if (typeof cursor?.p === 'number') throw notOfThisList();
  return cursor?.p;
}

/** The position that a cursor of a numbered list holds. @throws ApiError 400 when it holds another kind. */
export function numberPosition(cursor: Cursor | undefined): number | undefined {
  if (typeof cursor?.p === 'object') throw notOfThisList();
  return cursor?.p;
}

function notOfThisList(): ApiError {
  return invalid('page', 'This is not a cursor of this list; use next_page of an earlier answer unchanged.');
}
