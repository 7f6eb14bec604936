/** The bytes of a file as an answer: whole, or one range of them (RFC 9110, section 14). */
import { Readable } from 'node:stream';
import { BlobMissingError, type ByteRange } from '../store/blobs/blobs.ts';
import type { FileRow } from '../store/files.ts';
import type { Request } from './context.ts';
import { ApiError, invalid, loggable } from './errors.ts';
import { isExpired } from './file-object.ts';

/** @throws ApiError 400 file_not_downloadable, 404 file_expired, 416 for a range outside of the file. */
export async function sendContent({ c, deps }: Request<unknown, unknown>, row: FileRow): Promise<Response> {
  if (isExpired(row, deps.now())) {
    throw new ApiError(404, 'not_found_error', `File ${row.id} expired at ${row.expiresAt?.toISOString()}.`, {
      code: 'file_expired',
    });
  }
  if (!row.downloadable) {
    throw invalid(
      '',
      `File ${row.id} was uploaded, and only what agents make can be downloaded. The operator can allow it with LONGHAND_DOWNLOAD_UPLOADS.`,
      'file_not_downloadable',
    );
  }
  const etag = `"${row.sha256}"`;
  const headers = {
    'content-type': row.mimeType,
    'content-disposition': disposition(row.filename),
    'accept-ranges': 'bytes',
    etag,
    // Whatever its type says: a browser must not run it in our name.
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox',
  };
  const ifRange = c.req.header('if-range');
  const wanted = ifRange === undefined || ifRange === etag ? c.req.header('range') : undefined;
  const range = rangeOf(wanted, row.bytes);
  if (range === 'outside') {
    c.header('content-range', `bytes */${row.bytes}`);
    throw new ApiError(416, 'invalid_request_error', `range: ${wanted} lies outside of the ${row.bytes} bytes.`);
  }
  const [from, to] = range ? [range.start, range.end] : [0, row.bytes - 1];
  const part: Record<string, string> = { 'content-length': String(to - from + 1) };
  if (range) part['content-range'] = `bytes ${from}-${to}/${row.bytes}`;
  const status = range ? 206 : 200;
  if (c.req.raw.method === 'HEAD') return c.body(null, status, { ...headers, ...part });
  const bytes = await deps.blobs.getStream(row.area, row.sha256, range).catch((error: unknown) => {
    if (!(error instanceof BlobMissingError)) throw error;
    throw new ApiError(500, 'api_error', `The bytes of file ${row.id} are missing: ${error.message}`, { retry: false });
  });
  bytes.once('error', (error) => deps.log.error({ err: loggable(error), file: row.id }, 'a download was cut off'));
  return c.body(Readable.toWeb(bytes) as ReadableStream<Uint8Array>, status, { ...headers, ...part });
}

/** One range; several, and what is no range, count as none, as the RFC allows. */
export function rangeOf(header: string | undefined, bytes: number): ByteRange | 'outside' | undefined {
  const match = header?.match(/^bytes=(\d{0,15})-(\d{0,15})$/);
  if (!match) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), bytes);
    return length === 0 ? 'outside' : { start: bytes - length, end: bytes - 1 };
  }
  const start = Number(first);
  const end = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= bytes ? 'outside' : { start, end };
}

/** RFC 6266, with the name in UTF-8 and a plain one beside it. */
function disposition(filename: string): string {
  const base = filename.split('/').at(-1) ?? filename;
  const plain = base.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(base).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
