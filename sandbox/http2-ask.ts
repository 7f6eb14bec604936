/** One question over an HTTP/2 connection that somebody else made, with honest ends: cut answers are errors. */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** The connection ended before the answer was whole. What was asked may have happened. */
export class ConnectionLostError extends Error {
  override name = 'ConnectionLostError';
}

/** The other side answered, and refused. */
export class RefusedError extends Error {
  override name = 'RefusedError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Question {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Readable;
  signal?: AbortSignal;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  stream: ClientHttp2Stream;
}

/** @throws RefusedError for a status of 400 or more, ConnectionLostError when there is no whole answer. */
export async function ask(session: ClientHttp2Session, question: Question): Promise<Answer> {
  const { method, path, headers, body, signal } = question;
  signal?.throwIfAborted();
  let stream: ClientHttp2Stream;
  try {
    stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: body === undefined });
  } catch (error) {
    throw new ConnectionLostError((error as Error).message, { cause: error });
  }
  const abort = () => stream.close();
  signal?.addEventListener('abort', abort, { once: true });
  stream.once('close', () => signal?.removeEventListener('abort', abort));
  const answered = answerOf(stream);
  answered.catch(() => undefined);
  if (typeof body === 'string') stream.end(body);
  else if (body) await send(body, stream, answered);
  try {
    return await answered;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** The server may answer (and refuse) before it has read everything; its answer then says more than a broken pipe. */
async function send(body: Readable, stream: ClientHttp2Stream, answered: Promise<Answer>): Promise<void> {
  try {
    await pipeline(body, stream);
  } catch (error) {
    const connectionEnded = stream.destroyed || stream.closed;
    if (!connectionEnded) throw error;
    await answered;
    throw error;
  }
}

function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const lost = (error?: Error) =>
      reject(new ConnectionLostError(error?.message ?? 'The connection to the sandbox ended.', { cause: error }));
    stream.once('close', () => lost());
    stream.on('error', lost);
    stream.once('response', (headers) => {
      const status = Number(headers[':status']);
      if (status < 400) return resolve({ status, headers, stream });
      textOf(stream, MAX_REFUSAL_BYTES).then(
        (text) => reject(new RefusedError(status, wordsOf(text))),
        (error: Error) => reject(error),
      );
    });
  });
}

const MAX_REFUSAL_BYTES = 64 * 1024;

/** The reason that a refusal gives. */
export function wordsOf(text: string): string {
  try {
    return String((JSON.parse(text) as { error?: unknown }).error ?? text);
  } catch {
    return text;
  }
}

/** @param most - bytes; an answer that is longer counts as cut. */
export async function textOf(stream: ClientHttp2Stream, most = Number.POSITIVE_INFINITY): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > most) throw new Error(`An answer of the sandbox is longer than ${most} bytes.`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw new ConnectionLostError((error as Error).message, { cause: error });
  }
  const text = Buffer.concat(chunks).toString('utf8');
  // A stream that is reset without an error ends like a whole one.
  if (text === '') throw new ConnectionLostError('The connection to the sandbox ended.');
  return text;
}

/**
 * Ends with an error when fewer bytes came than were announced, or the stream was cut. Reads from the stream at once:
 * Node empties an HTTP/2 stream into nothing when it closes before anyone has begun to read, and a small file is there
 * before its reader is.
 */
export function whole({ stream, headers }: Answer): Readable {
  const expected = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  let bytes = 0;
  const checked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(null, chunk);
    },
    flush(done) {
      const cut = stream.rstCode !== 0 || (expected !== undefined && bytes !== expected);
      done(cut ? new ConnectionLostError(`The sandbox's answer was cut off after ${bytes} bytes.`) : null);
    },
  });
  pipeline(stream, checked).catch((error: Error) => checked.destroy(error));
  checked.once('close', () => stream.close());
  return checked;
}
