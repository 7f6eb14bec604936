/**
 * The read-only files of a session: copies of the files it was given, and its skills. Their bytes lie in the session's
 * part of the blob store, where the hands may read; which file belongs at which path is a list there, and the
 * session's workflow knows the list's hash.
 */
import { z } from '@hono/zod-openapi';
import { idBody } from '../events/ids.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import type { Queries } from '../store/database.ts';
import { type FileRow, findFiles, type NewFile } from '../store/files.ts';
import type { SessionSkill } from '../store/schema.ts';
import { type NewResource, resourceFiles } from '../store/session-resources.ts';
import type { InputFile, SessionInputs } from '../workflows/contract.ts';
import { id } from './common.ts';
import type { ApiDeps } from './context.ts';
import { ApiError, notFound, notYet } from './errors.ts';
import { isExpired } from './file-object.ts';
import { mountPathOf, refuseOverlap } from './mount-path.ts';

export const MAX_RESOURCES = 500;
export const SKILLS = '/workspace/skills';

export const fileResource = z.strictObject({
  type: z.literal('file'),
  file_id: id,
  mount_path: z.string().max(4_096).nullable().optional(),
});
export const resourceList = z
  .array(
    z.discriminatedUnion('type', [
      fileResource,
      z.looseObject({ type: z.literal('github_repository') }),
      z.looseObject({ type: z.literal('memory_store') }),
    ]),
  )
  .max(MAX_RESOURCES);
type FileResource = z.output<typeof fileResource>;

/** Rows that are to be stored with a session. */
export interface ResourceRows {
  resources: NewResource[];
  copies: NewFile[];
}

/** The area of the copies and of skills; that of the log is the session's own. */
export const inputsArea = (sessionId: string) => `${sessionId}/inputs`;

/**
 * Checks what a session is given and copies the bytes; the rows are the caller's to store.
 * @param taken - mount paths that the session has already. @param effectId - names the rows.
 */
export async function takeResources(
  deps: ApiDeps,
  session: { id: string; workspaceId: string },
  given: z.output<typeof resourceList>,
  make: { effectId: string; since: Date; at: string; taken: string[] },
): Promise<ResourceRows> {
  const wanted = given.map((resource, index) => {
    const at = make.at === '' ? '' : `${make.at}.${index}.`;
    if (resource.type !== 'file') throw notYet(`${at}type`, `${resource.type} resources are`);
    return { resource: resource as FileResource, at };
  });
  const ids = wanted.map(({ resource }) => resource.file_id);
  const found = new Map(
    (await findFiles(deps.database.orm, session.workspaceId, [...new Set(ids)])).map((row) => [row.id, row]),
  );
  const rows: ResourceRows = { resources: [], copies: [] };
  const paths = new Set(make.taken);
  for (const [index, { resource, at }] of wanted.entries()) {
    const file = present(found.get(resource.file_id), `${at}file_id`, resource.file_id, deps.now());
    const mountPath = mountPathOf(resource.mount_path, file.id, `${at}mount_path`);
    refuseOverlap(mountPath, paths, `${at}mount_path`);
    paths.add(mountPath);
    const tail = `${idBody(make.effectId)}r${index}`;
    rows.copies.push(copyOf(file, session, `file_${tail}`, make.since));
    rows.resources.push({
      id: `sesrsc_${tail}`,
      sessionId: session.id,
      fileId: `file_${tail}`,
      mountPath,
      createdAt: make.since,
      updatedAt: make.since,
    });
  }
  for (const { file } of wanted.map(({ resource }) => ({ file: found.get(resource.file_id) }))) {
    if (file) await deps.blobs.copy(file.area, inputsArea(session.id), file.sha256);
  }
  return rows;
}

/** @throws ApiError 404 that names the field. */
export function present(file: FileRow | undefined, at: string, fileId: string, now: number): FileRow {
  if (!file) throw notFound(`${at}: File`, fileId);
  if (!isExpired(file, now)) return file;
  throw new ApiError(404, 'not_found_error', `${at}: File ${fileId} expired at ${file.expiresAt?.toISOString()}.`, {
    code: 'file_expired',
  });
}

function copyOf(file: FileRow, session: { id: string; workspaceId: string }, newId: string, at: Date): NewFile {
  return {
    ...{ id: newId, workspaceId: session.workspaceId, sessionId: session.id, origin: 'input', createdAt: at },
    ...{ filename: file.filename, mimeType: file.mimeType, bytes: file.bytes, sha256: file.sha256 },
    ...{ area: inputsArea(session.id), downloadable: file.downloadable, expiresAt: null },
  };
}

/** Stores the list of a session's read-only files. @returns undefined when there are none. */
export async function storeInputs(
  blobs: Blobs,
  sessionId: string,
  rev: number,
  resources: { mountPath: string; sha256: string; bytes: number }[],
  skills: SessionSkill[],
): Promise<SessionInputs> {
  const files: InputFile[] = resources.map(({ mountPath, sha256, bytes }) => ({ path: mountPath, sha256, bytes }));
  for (const skill of skills) {
    for (const file of skill.files) files.push({ ...file, path: `${SKILLS}/${skill.name}/${file.path}` });
  }
  const list = files.length === 0 ? null : await blobs.put(sessionId, Buffer.from(JSON.stringify(files)));
  return { rev, list: list?.sha256 ?? null, ...(skills.length > 0 ? { skills: true as const } : {}) };
}

/** The list as the database has it now. */
export async function currentInputs(
  db: Queries,
  blobs: Blobs,
  sessionId: string,
  rev: number,
  skills: SessionSkill[],
): Promise<SessionInputs> {
  return await storeInputs(blobs, sessionId, rev, await resourceFiles(db, sessionId), skills);
}
