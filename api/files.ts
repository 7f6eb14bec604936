/** `/v1/files`: upload, list, get, delete; the bytes are given out by `file-content.ts`. */
import { z } from '@hono/zod-openapi';
import { idBody } from '../events/ids.ts';
import {
  type FileRow,
  findFile,
  findFiles,
  insertFiles,
  listFiles,
  lockStorage,
  type NewFile,
  removeFile,
  storedBytes,
} from '../store/files.ts';
import { asksForBeta } from './auth.ts';
import { binary, id, limit, page, repeated } from './common.ts';
import type { Request } from './context.ts';
import { decodeCursor, encodeCursor, objectPosition } from './cursor.ts';
import { invalid, notFound } from './errors.ts';
import { sendContent } from './file-content.ts';
import { filenameOf, fileObject, mimeTypeOf, toFile } from './file-object.ts';
import type { FormSpec } from './multipart.ts';
import { type Route, route } from './route.ts';
import { checkStored } from './stored.ts';

/** Largest file, bytes: 500 MB, as the hosted API. */
export const MAX_FILE_BYTES = 500_000_000;
const QUOTA_BYTES = 100e9;
const MAX_IDS = 100;
const PAGE = 20;

const uploadForm: FormSpec = { files: ['file'], maxFiles: 1, maxBytes: MAX_FILE_BYTES, limit: '500 MB' };
const uploadBody = z.strictObject({
  expires_in_seconds: z
    .string()
    .regex(/^\d{1,9}$/, 'Input is not a whole number')
    .transform(Number)
    .refine((seconds) => seconds >= 3_600 && seconds <= 7_776_000, 'Input must be between 3600 and 7776000')
    .openapi({ type: 'integer', minimum: 3_600, maximum: 7_776_000 })
    .optional(),
});
const listQuery = z.strictObject({
  ids: repeated(id, 1_000).optional(),
  scope_id: id.optional(),
  // Not the default: whether it was given matters.
  limit: limit(PAGE, 1_000).unwrap().optional().openapi({ type: 'integer', minimum: 1, maximum: 1_000 }),
  page,
});

export function fileRoutes(): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/files',
      summary: 'Upload a file',
      form: uploadForm,
      body: uploadBody,
      response: fileObject,
      once: 'transaction',
      handle: upload,
    }),
    route({
      method: 'get',
      path: '/v1/files',
      summary: 'List files, newest first',
      query: listQuery,
      lists: ['ids'],
      response: z.object({ data: z.array(fileObject), next_page: z.string().nullable() }),
      handle: list,
    }),
    route({
      method: 'get',
      path: '/v1/files/{file_id}',
      summary: 'Get a file’s metadata',
      response: fileObject,
      handle: async (request) => toFile(await existing(request), asksForBeta(request.c)),
    }),
    route({
      method: 'get',
      path: '/v1/files/{file_id}/content',
      summary: 'Download a file, or a range of its bytes',
      response: binary,
      streams: '*/*',
      ranges: true,
      handle: async (request) => await sendContent(request, await existing(request)),
    }),
    route({
      method: 'delete',
      path: '/v1/files/{file_id}',
      summary: 'Delete a file',
      response: z.strictObject({ id, type: z.literal('file_deleted') }),
      once: 'transaction',
      async handle(request) {
        const row = await existing(request);
        await removeFile(request.db, row, new Date(request.deps.now()));
        return { id: row.id, type: 'file_deleted' };
      },
    }),
  ];
}

async function existing({ db, caller, params }: Request<unknown, unknown>): Promise<FileRow> {
  const { file_id = '' } = params;
  const row = await findFile(db, caller.workspaceId, file_id);
  if (!row) throw notFound('File', file_id);
  return row;
}

async function upload(request: Request<unknown, z.output<typeof uploadBody>>): Promise<object> {
  const { deps, db, caller, body, files, effectId, since } = request;
  const [sent, more] = files;
  if (!sent) throw invalid('file', 'Field required');
  if (more) throw invalid('file', 'Input may be given only once');
  if (sent.bytes === 0) throw invalid('file', 'The file is empty');
  const mimeType = mimeTypeOf(sent.mimeType, sent.filename);
  const seconds = body.expires_in_seconds;
  const row: NewFile = {
    id: `file_${idBody(effectId)}`,
    workspaceId: caller.workspaceId,
    sessionId: null,
    origin: 'upload',
    filename: filenameOf(sent.filename, mimeType),
    mimeType,
    bytes: sent.bytes,
    sha256: sent.sha256,
    area: caller.workspaceId,
    downloadable: deps.settings.files?.downloadUploads ?? false,
    expiresAt: seconds === undefined ? null : new Date(since.getTime() + seconds * 1000),
    createdAt: since,
  };
  await lockStorage(db, caller.workspaceId);
  const present = await storedBytes(db, caller.workspaceId, new Date(deps.now()));
  const quota = deps.settings.files?.quotaBytes ?? QUOTA_BYTES;
  if (present + sent.bytes > quota) {
    throw invalid(
      '',
      `The workspace’s files have ${present} of at most ${quota} bytes; this one has ${sent.bytes}. Delete files, or raise LONGHAND_FILES_QUOTA.`,
      'storage_quota_exceeded',
    );
  }
  await checkStored(deps, caller.workspaceId, [sent]);
  await insertFiles(db, [row]);
  return toFile({ ...row, removedAt: null } as FileRow, asksForBeta(request.c));
}

async function list({ db, c, caller, query }: Request<z.output<typeof listQuery>>): Promise<object> {
  const beta = asksForBeta(c);
  if (query.scope_id !== undefined && !beta) {
    throw invalid('scope_id', 'Only allowed with the header "anthropic-beta: managed-agents-2026-04-01"');
  }
  if (query.ids) {
    for (const other of ['page', 'limit'] as const) {
      if (query[other] !== undefined) throw invalid(other, 'Not allowed together with ids');
    }
    const wanted = [...new Set(query.ids)];
    if (wanted.length > MAX_IDS) throw invalid('ids', `At most ${MAX_IDS} ids are allowed; these are ${wanted.length}`);
    const found = new Map((await findFiles(db, caller.workspaceId, wanted)).map((row) => [row.id, row]));
    const rows = wanted.flatMap((one) => found.get(one) ?? []);
    const shown = rows.filter((row) => query.scope_id === undefined || row.sessionId === query.scope_id);
    return { data: shown.map((row) => toFile(row, beta)), next_page: null };
  }
  const name = `files ${query.scope_id ?? ''}`;
  const position = objectPosition(decodeCursor(query.page, name, 'desc'));
  const most = query.limit ?? PAGE;
  const page = { sessionId: query.scope_id, limit: most + 1, position };
  const rows = await listFiles(db, caller.workspaceId, page);
  const shown = rows.slice(0, most);
  const last = rows.length > shown.length ? shown.at(-1) : undefined;
  const p = last && { createdAt: last.createdAt.getTime(), id: last.id };
  return {
    data: shown.map((row) => toFile(row, beta)),
    next_page: p ? encodeCursor({ l: name, o: 'desc', p }) : null,
  };
}
