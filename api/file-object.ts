/** A file as clients see it, and the rules of its name and type. */
import { basename } from 'node:path';
import type { BetaFileMetadata } from '@anthropic-ai/sdk/resources/beta/files';
import { z } from '@hono/zod-openapi';
import mime from 'mime-types';
import type { FileRow } from '../store/files.ts';
import { time } from './agent-object.ts';
import { id } from './common.ts';
import { invalid } from './errors.ts';

const UNKNOWN_TYPE = 'application/octet-stream';
const MIME = /^[\w.+-]{1,64}\/[\w.+-]{1,128}$/;
const MAX_NAME = 255;

export const fileObject = z
  .strictObject({
    id,
    type: z.literal('file'),
    filename: z.string(),
    mime_type: z.string(),
    size_bytes: z.int().min(0),
    downloadable: z.boolean(),
    created_at: time,
    expires_at: time.nullable(),
    /** Only with the beta header. */
    scope: z
      .strictObject({ id, type: z.literal('session') })
      .nullable()
      .optional(),
  })
  .openapi('File') satisfies z.ZodType<BetaFileMetadata>;

/** @param withScope - the caller asked for the beta that knows scopes. */
export function toFile(row: FileRow, withScope: boolean): BetaFileMetadata {
  return {
    id: row.id,
    type: 'file',
    filename: row.filename,
    mime_type: row.mimeType,
    size_bytes: row.bytes,
    downloadable: row.downloadable,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
    ...(withScope ? { scope: row.sessionId === null ? null : { id: row.sessionId, type: 'session' } } : {}),
  };
}

export function isExpired(row: Pick<FileRow, 'expiresAt'>, now: number): boolean {
  return row.expiresAt !== null && row.expiresAt.getTime() <= now;
}

/** The part's type; programs that know none send a generic one, and then the name says more. */
export function mimeTypeOf(sent: string, filename: string | undefined): string {
  const type = sent.toLowerCase();
  if (type !== UNKNOWN_TYPE) return MIME.test(type) ? type : UNKNOWN_TYPE;
  return mime.lookup(filename ?? '') || UNKNOWN_TYPE;
}

/** Only the last component of what was sent; never nothing. @throws ApiError 400 */
export function filenameOf(sent: string | undefined, mimeType: string): string {
  const name = basename((sent ?? '').replaceAll('\\', '/'));
  if (name === '' || name === '.' || name === '..') {
    const extension = mime.extension(mimeType);
    return extension ? `unnamed.${extension}` : 'unnamed';
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name) || !name.isWellFormed()) {
    throw invalid('file', 'The filename holds control characters, or is not valid Unicode');
  }
  if (name.length > MAX_NAME) throw invalid('file', `The filename has more than ${MAX_NAME} characters`);
  return name;
}
