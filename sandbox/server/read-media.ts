/** `read` of files that a model sees rather than reads: images and PDFs, told by their first bytes, not their names. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ToolError } from '@anthropic-ai/sdk/lib/tools/ToolError';
import type { ResultBlock } from '../../events/wire.ts';
import { WORKSPACE } from './protocol.ts';

/** The Messages API takes 5 MiB of base64 per image. */
const MAX_IMAGE_BYTES = Math.floor((5 * 1024 * 1024 * 3) / 4);
/** Base64 of it, and the rest of a request, must stay under the API's 32 MB. */
const MAX_PDF_BYTES = 20 * 1024 * 1024;

/** Blocks of an image or PDF; undefined for everything that the SDK's `read` should handle. */
export async function readMedia(input: Record<string, unknown>): Promise<ResultBlock[] | undefined> {
  const name = input.file_path;
  if (typeof name !== 'string' || input.view_range) return undefined;
  // O_NONBLOCK: a named pipe must not hang this process.
  const file = await open(resolve(WORKSPACE, name), constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (!file) return undefined;
  try {
    const { size, isRegular } = await file.stat().then((found) => ({ size: found.size, isRegular: found.isFile() }));
    if (!isRegular) return undefined;
    const head = Buffer.alloc(16);
    await file.read(head, 0, 16, 0);
    const mediaType = mediaTypeOf(head);
    if (!mediaType) return undefined;
    const limit = mediaType === 'application/pdf' ? MAX_PDF_BYTES : MAX_IMAGE_BYTES;
    if (size > limit) {
      throw new ToolError(
        `read: ${name} (${mediaType}) has ${size} bytes; at most ${limit} can be shown. Make a smaller copy of it.`,
      );
    }
    const data = (await file.readFile()).toString('base64');
    const source = { type: 'base64' as const, media_type: mediaType, data };
    return mediaType === 'application/pdf' ? [{ type: 'document', source }] : [{ type: 'image', source }];
  } finally {
    await file.close();
  }
}

function mediaTypeOf(head: Buffer): string | undefined {
  const text = head.toString('latin1');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'image/gif';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp';
  if (text.startsWith('%PDF-')) return 'application/pdf';
  return undefined;
}
