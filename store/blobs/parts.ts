/**
 * Large parts of an event travel beside it as blobs: history and updates stay small. `externalize` moves them out,
 * `internalize` puts them back; the two are exact inverses. The plan is pure, only the copying touches the store.
 */
import type { BlobPart } from '../../events/entry.ts';
import type { Blobs } from './blobs.ts';

/** Largest string, and largest event in all, that stays inside an entry, in bytes of UTF-8 JSON. */
export const PART_LIMIT = 16 * 1024;
/** More parts than this inside one value and the value goes out as one: a list of references must not be large itself. */
const MAX_PARTS = 24;
/** About what one reference costs in an entry. */
const PART_COST = 140;

/** What `externalize` takes and gives back. */
export interface Parts<E, P = unknown> {
  event: E;
  private?: P;
  /** Outer parts stand before the parts inside them. */
  blobs?: BlobPart[];
}

/** One part that leaves: where it was, and its bytes. */
export interface PlannedPart {
  at: string;
  body: Buffer;
  json?: true;
}

/** A part may sit inside another one: `at` is then reached only after the outer one is back. */
export interface Plan<T> {
  value: T;
  parts: PlannedPart[];
}

interface Shrunk {
  value: unknown;
  /** Bytes of `value` as JSON, plus what its parts cost. */
  bytes: number;
  parts: PlannedPart[];
}

/**
 * Decides which parts leave, so that no string and not the whole is over `limit` bytes. Strings leave as their UTF-8
 * bytes (as JSON when they hold a lone surrogate, which UTF-8 cannot carry), other values as JSON.
 */
export function planParts<T extends { event: unknown; private?: unknown }>(value: T, limit = PART_LIMIT): Plan<T> {
  const whole: Record<string, unknown> = { event: value.event };
  if (value.private !== undefined) whole.private = value.private;
  let shrunk = shrinkObject(whole, '', limit, 2);
  // Each fits, but not both: then each has half.
  if (shrunk.bytes > limit && value.private !== undefined) shrunk = shrinkObject(whole, '', Math.floor(limit / 2), 2);
  return { value: shrunk.value as T, parts: shrunk.parts.sort((a, b) => depth(a.at) - depth(b.at)) };
}

/** Moves the large parts of `{event, private}` to the blob store. */
export async function externalize<E, P>(
  sessionId: string,
  value: Parts<E, P>,
  blobs: Blobs,
  limit = PART_LIMIT,
): Promise<Parts<E, P>> {
  const plan = planParts<Parts<E, P>>(value, limit);
  const stored: BlobPart[] = [];
  for (const part of plan.parts) {
    const name = await blobs.put(sessionId, part.body);
    stored.push({ at: part.at, sha256: name.sha256, bytes: name.bytes, ...(part.json ? { json: true } : {}) });
  }
  return stored.length > 0 ? { ...plan.value, blobs: stored } : plan.value;
}

/**
 * Puts the parts back. The given value is not changed.
 * @throws BlobMissingError, BlobCorruptError as {@link Blobs.get} does; PartPathError when a pointer leads nowhere.
 */
export async function internalize<E, P>(
  sessionId: string,
  value: Parts<E, P>,
  blobs: Pick<Blobs, 'get'>,
): Promise<Parts<E, P>> {
  if (!value.blobs || value.blobs.length === 0) return value;
  const { blobs: parts, ...rest } = value;
  const whole = structuredClone(rest);
  for (const part of [...parts].sort((a, b) => depth(a.at) - depth(b.at))) {
    const bytes = await blobs.get(sessionId, part.sha256);
    const text = bytes.toString('utf8');
    setAt(whole, part.at, part.json ? JSON.parse(text) : text);
  }
  return whole as Parts<E, P>;
}

/** Thrown when a part's pointer names nothing in its event: the entry is damaged. */
export class PartPathError extends Error {
  override name = 'PartPathError';
  constructor(pointer: string) {
    super(`A part of a log entry belongs at ${JSON.stringify(pointer)}, but nothing is there: the entry is damaged.`);
  }
}

/** Bytes of a value as JSON. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

function shrink(value: unknown, at: string, limit: number): Shrunk {
  if (typeof value === 'string') {
    const bytes = jsonBytes(value);
    return bytes > limit ? leave(value, at) : { value, bytes, parts: [] };
  }
  if (Array.isArray(value)) return shrinkArray(value, at, limit);
  if (value !== null && typeof value === 'object') return shrinkObject(value, at, limit, 0);
  return { value, bytes: jsonBytes(value), parts: [] };
}

function shrinkArray(list: unknown[], at: string, limit: number): Shrunk {
  const items = list.map((item, index) => shrink(item, `${at}/${index}`, limit));
  const parts = items.flatMap((item) => item.parts);
  const value = items.map((item) => item.value);
  const bytes = items.reduce((sum, item) => sum + item.bytes + 1, 2);
  if (parts.length > MAX_PARTS) return leave(list, at);
  return bytes > limit ? leave(value, at, parts) : { value, bytes, parts };
}

/** @param fixed - so many levels from here stay in place, whatever their size: only what they hold may leave. */
function shrinkObject(object: object, at: string, limit: number, fixed: number): Shrunk {
  const entries = Object.entries(object).map(([key, value]) => {
    const pointer = `${at}/${escapeKey(key)}`;
    const inner =
      fixed > 0 && isObject(value) ? shrinkObject(value, pointer, limit, fixed - 1) : shrink(value, pointer, limit);
    return { key, pointer, inner, keyBytes: jsonBytes(key) + 2 };
  });
  const sum = () => entries.reduce((total, entry) => total + entry.inner.bytes + entry.keyBytes, 2);
  for (let bytes = sum(); bytes > limit; bytes = sum()) {
    const movable = fixed > 1 ? undefined : largest(entries);
    if (!movable || movable.inner.bytes <= PART_COST) break;
    movable.inner = leave(movable.inner.value, movable.pointer, movable.inner.parts);
  }
  const parts = entries.flatMap((entry) => entry.inner.parts);
  if (fixed === 0 && (parts.length > MAX_PARTS || sum() > limit)) return leave(object, at);
  return { value: Object.fromEntries(entries.map((entry) => [entry.key, entry.inner.value])), bytes: sum(), parts };
}

/** The value goes out; parts inside it that have left already stay parts of their own. */
function leave(value: unknown, at: string, inside: PlannedPart[] = []): Shrunk {
  const raw = typeof value === 'string' && value.isWellFormed();
  const part: PlannedPart = raw
    ? { at, body: Buffer.from(value, 'utf8') }
    : { at, body: Buffer.from(JSON.stringify(value), 'utf8'), json: true };
  return { value: null, bytes: 4 + PART_COST, parts: [part, ...inside] };
}

function largest<T extends { inner: Shrunk }>(entries: T[]): T | undefined {
  let found: T | undefined;
  for (const entry of entries) {
    if (entry.inner.value === null) continue;
    if (!found || entry.inner.bytes > found.inner.bytes) found = entry;
  }
  return found;
}

function setAt(root: unknown, pointer: string, value: unknown): void {
  const keys = pointer.split('/').slice(1).map(unescapeKey);
  const last = keys.pop();
  let node: unknown = root;
  for (const key of keys) {
    if (!isObjectOrArray(node) || !Object.hasOwn(node, key)) throw new PartPathError(pointer);
    node = Reflect.get(node, key);
  }
  if (last === undefined || !isObjectOrArray(node) || !Object.hasOwn(node, last)) throw new PartPathError(pointer);
  // Defined, not assigned: a key may be called __proto__.
  Object.defineProperty(node, last, { value, writable: true, enumerable: true, configurable: true });
}

const isObjectOrArray = (value: unknown): value is object => value !== null && typeof value === 'object';
const isObject = (value: unknown): value is object => isObjectOrArray(value) && !Array.isArray(value);
const depth = (pointer: string) => pointer.split('/').length;
const escapeKey = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');
const unescapeKey = (key: string) => key.replaceAll('~1', '/').replaceAll('~0', '~');
