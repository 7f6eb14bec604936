/** Schemas that several resources share, and the reading of query strings. */
import { z } from '@hono/zod-openapi';
import type { TimeRange } from '../store/pages.ts';
import { invalid } from './errors.ts';

/** An object's id: nothing that a URL, a path or SQL could stumble over. */
export const id = z.string().regex(/^[A-Za-z0-9_.:-]{1,128}$/, 'Input is not an id');

/** Bytes: a file of a form, or an answer that is one. */
export const binary = z.string().openapi({ type: 'string', format: 'binary' });

/** Text that PostgreSQL and Temporal can hold in any type: no U+0000, no half of a surrogate pair. */
export const text = (min: number, max: number) =>
  z
    .string()
    .min(min)
    .max(max)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), 'U+0000 and lone surrogates are not allowed')
    .openapi({ pattern: '^[^\\u0000]*$' });

/** What agents and environments are called. */
export const name = text(1, 256);

const KEYS = 16;
const key = text(1, 64);
const value = text(0, 512);

export const metadata = z
  .record(key, value)
  .refine((bag) => Object.keys(bag).length <= KEYS, `At most ${KEYS} keys are allowed`)
  .openapi({ maxProperties: KEYS });

/** A change of a metadata bag: null deletes a key. */
export const metadataPatch = z.record(key, value.nullable());

/** @param blankDeletes - `""` deletes a key too. @throws ApiError 400 when the result has too many keys. */
export function patchMetadata(
  stored: Record<string, string>,
  patch: Record<string, string | null> | null | undefined,
  blankDeletes = false,
): Record<string, string> {
  if (!patch) return stored;
  const bag = new Map(Object.entries(stored));
  for (const [name, next] of Object.entries(patch)) {
    if (next === null || (blankDeletes && next === '')) bag.delete(name);
    else bag.set(name, next);
  }
  if (bag.size > KEYS) throw invalid('metadata', `At most ${KEYS} keys are allowed; this change leads to ${bag.size}`);
  return Object.fromEntries(bag);
}

/** The years 1 to 9999, in UTC: what RFC 3339 and PostgreSQL both can say. */
const FIRST_MS = Date.UTC(2000, 0, 1) - 63_082_281_600_000;
const LAST_MS = 253_402_300_799_999;

const time = z.iso
  .datetime({ offset: true, message: 'Input is not an RFC 3339 time' })
  .transform((at) => new Date(at))
  .refine((at) => at.getTime() >= FIRST_MS && at.getTime() <= LAST_MS, 'Input is not an RFC 3339 time')
  .openapi({ type: 'string', format: 'date-time' });
const flag = z
  .enum(['true', 'false'])
  .transform((word) => word === 'true')
  .openapi({ type: 'boolean' });
/** Digits, as a query holds numbers. Documented as what they mean. */
const digits = z
  .string()
  .regex(/^\d{1,9}$/, 'Input is not a whole number')
  .transform(Number);

export const limit = (usual: number, max: number) =>
  digits
    .refine((count) => count >= 1 && count <= max, `Input must be between 1 and ${max}`)
    .default(usual)
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: usual });

export const page = z
  .string()
  .max(1000)
  .optional()
  .openapi({ pattern: '^[A-Za-z0-9_-]*$', description: '`next_page` of an earlier answer, unchanged' });
export const includeArchived = flag.default(false).openapi({ type: 'boolean', default: false });
export const order = z.enum(['asc', 'desc']);
/** A whole number from `least` on. */
export const wholeNumber = (least: number) =>
  digits
    .refine((count) => count >= least, `Input must be at least ${least}`)
    .openapi({ type: 'integer', minimum: least, maximum: 999_999_999 });

/** The bounds that a list takes, as query fields. */
export const createdAtBounds = {
  'created_at[gt]': time.optional(),
  'created_at[gte]': time.optional(),
  'created_at[lt]': time.optional(),
  'created_at[lte]': time.optional(),
};

export function timeRange(query: Partial<Record<keyof typeof createdAtBounds, Date>>): TimeRange {
  return {
    gt: query['created_at[gt]'],
    gte: query['created_at[gte]'],
    lt: query['created_at[lt]'],
    lte: query['created_at[lte]'],
  };
}

/** A parameter that may be repeated. Its name in the schema has no brackets; on the wire it may. */
export const repeated = <T extends z.ZodType>(item: T, max = 100) => z.array(item).max(max).meta({ repeated: true });

/**
 * The query string as the schemas see it: `name[]` is a list `name`, `beta` is ignored, and a single value for a
 * parameter of `lists` is a list of one.
 */
export function readQuery(search: URLSearchParams, lists: Set<string>): Record<string, string | string[]> {
  const query = new Map<string, string | string[]>();
  for (const name of new Set(search.keys())) {
    if (name === 'beta') continue;
    const values = search.getAll(name);
    const plain = name.endsWith('[]') ? name.slice(0, -2) : name;
    if (lists.has(plain)) query.set(plain, [...(query.get(plain) ?? []), ...values]);
    else if (values.length > 1 || plain !== name) throw invalid(name, 'Input may be given only once');
    else query.set(name, values[0] ?? '');
  }
  return Object.fromEntries(query);
}
