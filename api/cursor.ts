/** Page cursors: opaque to clients, a small JSON object to us. */
import { z } from '@hono/zod-openapi';
import type { Position } from '../store/pages.ts';
import { invalid } from './errors.ts';

const cursorSchema = z.strictObject({
  /** Which list it belongs to. */
  l: z.string(),
  o: z.enum(['asc', 'desc']),
  /** Position: ms and id, or a number. */
  p: z.union([z.strictObject({ createdAt: z.number(), id: z.string().max(128) }), z.number()]),
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
    throw invalid('page', 'This is not a cursor of this list; use next_page of an earlier answer unchanged.');
  }
  if (cursor.data.o !== order) {
    throw invalid('page', `This cursor belongs to order=${cursor.data.o}; a cursor cannot change the order.`);
  }
  return cursor.data;
}

/** The position that a cursor of stored objects holds. */
export function objectPosition(cursor: Cursor | undefined): Position | undefined {
  return typeof cursor?.p === 'object' ? cursor.p : undefined;
}

/** The position that a cursor of a numbered list holds. */
export function numberPosition(cursor: Cursor | undefined): number | undefined {
  return typeof cursor?.p === 'number' ? cursor.p : undefined;
}
