/**
 * `multipart/form-data` (RFC 7578) as it arrives: each file goes straight to the blob store, and only its name, hash and
 * size stay here. What a broken-off or refused upload has stored is referred to by nothing, and is swept away later.
 */
import { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import type { Context } from 'hono';
import { type BlobName, type Blobs, BlobTooLargeError } from '../store/blobs/blobs.ts';
import type { Env } from './context.ts';
import { ApiError, invalid } from './errors.ts';

/** What a route takes. */
export interface FormSpec {
  /** Names of the parts that are files; a list's name ends with `[]` on the wire or not. */
  files: string[];
  /** Most files, and most bytes of all of them together. */
  maxFiles: number;
  maxBytes: number;
  /** As the error names the limit: "500 MB". */
  limit: string;
}

export interface FormFile extends BlobName {
  /** Without `[]`. */
  field: string;
  /** As sent, path and all; undefined when there was none. */
  filename?: string;
  mimeType: string;
}

export interface Form {
  fields: Record<string, string>;
  files: FormFile[];
}

/** A client that sends nothing for so long is given up, ms. */
const IDLE_MS = 60_000;
/** What is left of a refused upload is read up to this many bytes, so that the client sees the answer. */
const DRAIN_BYTES = 64 * 1024 * 1024;
const DRAIN_MS = 2_000;
const FIELD_BYTES = 64 * 1024;
const FIELDS = 20;
/** Part headers, boundaries and fields of an upload that is exactly as large as allowed. */
const OVERHEAD_BYTES = 1024 * 1024;
const HEADER_BYTES = 16 * 1024;

/** @param discard - gets what a refused upload has stored. @throws ApiError 400, 408, 413 */
export async function readForm(
  c: Context<Env>,
  spec: FormSpec,
  blobs: Blobs,
  area: string,
  discard: (stored: BlobName[]) => Promise<void>,
): Promise<Form> {
  const type = c.req.header('content-type') ?? '';
  if (!/^multipart\/form-data\s*;/i.test(type)) {
    throw invalid('content-type', `"${type.slice(0, 80)}" is not multipart/form-data with a boundary`);
  }
  const incoming = bodyOf(c);
  const announced = Number(c.req.header('content-length') ?? 0);
  if (announced > spec.maxBytes + OVERHEAD_BYTES) {
    await drain(incoming);
    throw tooLarge(spec);
  }
  const form: Form = { fields: {}, files: [] };
  try {
    await receive(incoming, type, spec, blobs, area, form);
    return form;
  } catch (error) {
    await discard(form.files.filter(({ sha256 }) => sha256 !== ''));
    await drain(incoming);
    if (error instanceof BlobTooLargeError) throw tooLarge(spec);
    if (error instanceof ApiError || isOurs(error)) throw error;
    throw invalid('', `The multipart body cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function receive(
  incoming: Readable,
  type: string,
  spec: FormSpec,
  blobs: Blobs,
  area: string,
  form: Form,
): Promise<void> {
  const parser = makeParser(type, spec);
  const open = new Set<Readable>();
  const storing: Promise<void>[] = [];
  const over = Promise.withResolvers<void>();
  let left = spec.maxBytes;

  parser.on('file', (name, stream, filename, _encoding, mimeType) => {
    const field = plain(name);
    open.add(stream);
    stream.once('close', () => open.delete(stream));
    stream.once('end', () => {
      left -= stream.bytesRead;
    });
    // A part that is cut off says so on itself, perhaps when nobody listens any more.
    stream.on('error', over.reject);
    if (!spec.files.includes(field)) return over.reject(invalid(field, 'Extra inputs are not permitted'));
    const place = form.files.push({ field, filename, mimeType, sha256: '', bytes: 0 }) - 1;
    const work = blobs.putStream(area, stream, left).then((stored) => {
      form.files[place] = { field, filename, mimeType, ...stored };
    });
    work.catch(over.reject);
    storing.push(work);
  });
  parser.on('field', (name, value, nameCut, valueCut) => {
    const field = name ?? '';
    if (field === '' || nameCut) over.reject(invalid('', 'A part of the form has no name'));
    else if (spec.files.includes(plain(field))) over.reject(invalid(plain(field), 'Input must be a file'));
    else if (Object.hasOwn(form.fields, field) || field === '__proto__')
      over.reject(invalid(field, 'Input may be given only once'));
    else if (valueCut) over.reject(invalid(field, `Input is longer than ${FIELD_BYTES} bytes`));
    else form.fields[field] = value;
  });
  parser.on('partsLimit', () =>
    over.reject(invalid('', `The form has more than ${spec.maxFiles} files and ${FIELDS} fields`)),
  );
  parser.once('finish', over.resolve);
  parser.once('error', over.reject);
  const unwatch = watch(incoming, over.reject);
  try {
    incoming.pipe(parser);
    await over.promise;
    await Promise.all(storing);
  } catch (error) {
    incoming.unpipe(parser);
    for (const stream of open) stream.destroy(error instanceof Error ? error : undefined);
    await Promise.allSettled(storing);
    throw error;
  } finally {
    unwatch();
  }
}

function makeParser(type: string, spec: FormSpec): BusboyInstance {
  const limits = {
    parts: spec.maxFiles + FIELDS,
    files: spec.maxFiles + 1,
    fieldSize: FIELD_BYTES,
    headerPairs: 20,
    headerSize: HEADER_BYTES,
  };
  try {
    return new Busboy({
      headers: { 'content-type': type },
      preservePath: true,
      // A part without a file name is a file where one belongs.
      isPartAFile: (name, _type, filename) => filename !== undefined || spec.files.includes(plain(name)),
      limits,
    });
  } catch (error) {
    throw invalid('content-type', error instanceof Error ? error.message : 'Input is not valid');
  }
}

/** Says when the client has gone away or has fallen silent. @returns ends the watch. */
function watch(incoming: Readable, fail: (error: Error) => void): () => void {
  const silent = () =>
    fail(new ApiError(408, 'timeout_error', `Nothing arrived for ${IDLE_MS / 1000} s; the upload was given up.`));
  let timer = setTimeout(silent, IDLE_MS);
  const seen = () => {
    clearTimeout(timer);
    timer = setTimeout(silent, IDLE_MS);
  };
  const gone = () => fail(new ConnectionGoneError());
  const closed = () => {
    if (!incoming.readableEnded) gone();
  };
  incoming.on('data', seen);
  incoming.once('error', gone);
  incoming.once('close', closed);
  return () => {
    clearTimeout(timer);
    incoming.off('data', seen);
    incoming.off('error', gone);
    incoming.off('close', closed);
  };
}

/** The client went away in the middle of its upload; nobody reads this. */
class ConnectionGoneError extends ApiError {
  override name = 'ConnectionGoneError';
  constructor() {
    super(400, 'invalid_request_error', 'The connection ended in the middle of the upload.');
  }
}

/** Reads on for a while, into nothing. */
async function drain(incoming: Readable): Promise<void> {
  if (incoming.readableEnded || incoming.destroyed) return;
  let bytes = 0;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, DRAIN_MS);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > DRAIN_BYTES) done();
    });
    for (const event of ['end', 'error', 'close']) incoming.once(event, done);
    incoming.resume();
  });
}

function bodyOf(c: Context<Env>): Readable {
  // Node's own stream: the copy through a web stream costs half of the speed.
  const incoming = c.env?.incoming;
  if (incoming) return incoming;
  return c.req.raw.body
    ? Readable.fromWeb(c.req.raw.body as import('node:stream/web').ReadableStream)
    : Readable.from([]);
}

const plain = (name: string | undefined) => (name ?? '').replace(/\[\]$/, '');

function tooLarge(spec: FormSpec): ApiError {
  return new ApiError(413, 'request_too_large', `The upload is over the limit of ${spec.limit}.`);
}

/** Faults of the machine, not of the body: a disk that is full, say. */
function isOurs(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
