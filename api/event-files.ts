/**
 * Blocks of events that name a file instead of bringing its bytes. The event keeps the name; the bytes become part of
 * the session's log, so that it stays whole when the file is deleted. They reach the model and nothing else.
 */
import type { FileBytes } from '../events/entry.ts';
import type { EventParams } from '../events/wire.ts';
import { type FileRow, findFiles } from '../store/files.ts';
import type { PreparedEvent } from '../workflows/contract.ts';
import type { ApiDeps, Caller } from './context.ts';
import { invalid } from './errors.ts';
import { present } from './session-inputs.ts';

const TYPES = {
  image: ['image/png', 'image/jpeg', 'image/gif', 'image/webp'],
  document: ['application/pdf', 'text/plain'],
};
/** In base64 this is what a model provider takes in one request, 32 MB. */
const MAX_BYTES = 24_000_000;
const MAX_DOCUMENTS = 100;

interface Named {
  at: string;
  kind: 'image' | 'document';
  fileId: string;
}

/**
 * Checks the files that `events` name and copies their bytes to the session; `prepared` gets what the model needs.
 * @throws ApiError 400 or 404 that names the block.
 */
export async function takeEventFiles(
  deps: ApiDeps,
  caller: Pick<Caller, 'workspaceId'>,
  sessionId: string,
  events: EventParams[],
  at: string,
): Promise<Record<string, FileBytes>[]> {
  const named = events.map((event, index) => namedIn(event, `${at}.${index}`));
  const all = named.flat();
  if (all.length === 0) return events.map(() => ({}));
  const documents = all.filter(({ kind }) => kind === 'document').length;
  if (documents > MAX_DOCUMENTS)
    throw invalid(at, `At most ${MAX_DOCUMENTS} document blocks may name a file; these are ${documents}`);
  const ids = [...new Set(all.map(({ fileId }) => fileId))];
  const rows = new Map((await findFiles(deps.database.orm, caller.workspaceId, ids)).map((row) => [row.id, row]));
  let bytes = 0;
  for (const one of all) {
    const row = present(rows.get(one.fileId), `${one.at}.file_id`, one.fileId, deps.now());
    checkType(row, one);
    bytes += row.bytes;
    if (bytes > MAX_BYTES)
      throw invalid(`${one.at}.file_id`, `The files of one request have more than ${MAX_BYTES} bytes together`);
  }
  for (const row of rows.values()) await deps.blobs.copy(row.area, sessionId, row.sha256);
  return named.map((list) =>
    Object.fromEntries(
      list.flatMap(({ fileId }) => {
        const row = rows.get(fileId);
        return row ? [[fileId, { sha256: row.sha256, bytes: row.bytes, mime: row.mimeType }]] : [];
      }),
    ),
  );
}

/** Puts what was found beside each event. */
export function withFiles(prepared: PreparedEvent[], files: Record<string, FileBytes>[]): PreparedEvent[] {
  return prepared.map((event, index) => {
    const own = files[index] ?? {};
    return Object.keys(own).length > 0 ? { ...event, files: own } : event;
  });
}

function namedIn(event: EventParams, at: string): Named[] {
  if (!('content' in event) || !event.content) return [];
  return event.content.flatMap((block, index) => {
    if (block.type !== 'image' && block.type !== 'document') return [];
    const { source } = block;
    if (source.type !== 'file') return [];
    return [{ at: `${at}.content.${index}.source`, kind: block.type, fileId: source.file_id }];
  });
}

function checkType(row: FileRow, { at, kind }: Named): void {
  const type = row.mimeType.split(';')[0] ?? '';
  if (TYPES[kind].includes(type)) return;
  throw invalid(
    `${at}.file_id`,
    `File ${row.id} is ${row.mimeType}; ${kind === 'image' ? 'an image' : 'a document'} must be ${TYPES[kind].join(' or ')}`,
  );
}
