/** Reads a request's body: bounded in size and depth, and JSON. */
import type { Context } from 'hono';
import { ApiError, invalid } from './errors.ts';

/** Largest body, bytes: 32 MB, as the hosted API. */
export const MAX_BODY_BYTES = 32_000_000;
/** A client that sends more than this is cut off; below it the rest is read, so that the client sees the answer. */
const MAX_DRAIN_BYTES = 4 * MAX_BODY_BYTES;
const MAX_DEPTH = 64;

/** @returns the raw bytes; empty when there is no body. @throws ApiError 413 */
export async function readBody(c: Context): Promise<Buffer> {
  const stream = c.req.raw.body;
  if (!stream) return Buffer.alloc(0);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.byteLength;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    else if (bytes > MAX_DRAIN_BYTES) break;
  }
  if (bytes > MAX_BODY_BYTES) {
    throw new ApiError(413, 'request_too_large', `The request body is over the limit of ${MAX_BODY_BYTES} bytes.`);
  }
  return Buffer.concat(chunks);
}

/** @param raw - a body; an empty one counts as `{}`. @throws ApiError 400 */
export function parseBody(raw: Buffer): unknown {
  if (raw.byteLength === 0) return {};
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(raw);
  } catch {
    throw invalid('', 'The request body is not valid UTF-8.');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(
      '',
      `The request body is not valid JSON: ${error instanceof Error ? error.message : ''}`.slice(0, 200),
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('', 'The request body must be a JSON object.');
  }
  refuseTraps(value);
  return value;
}

/** What would trip code behind us: nesting that overflows stacks, and keys that reach an object's prototype. */
function refuseTraps(root: object): void {
  let level: { node: object; path: string }[] = [{ node: root, path: '' }];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw invalid(level[0]?.path ?? '', `Nested deeper than ${MAX_DEPTH} levels`);
    const next: typeof level = [];
    for (const { node, path } of level) {
      if (!Array.isArray(node) && Object.hasOwn(node, '__proto__')) {
        throw invalid(path ? `${path}.__proto__` : '__proto__', 'Extra inputs are not permitted');
      }
      for (const [key, value] of Object.entries(node)) {
        if (value !== null && typeof value === 'object')
          next.push({ node: value, path: path ? `${path}.${key}` : key });
      }
    }
    level = next;
  }
}
