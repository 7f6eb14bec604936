/**
 * The hands' side of the tool server's HTTP, over an HTTP/2 connection that somebody else made. Knows nothing of how a
 * sandbox is run, so every provider can use it.
 */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FileStat, InputFile, OutputListing, ToolCall } from './hands.ts';
import {
  type CallRequest,
  type CallState,
  type Failure,
  type FileListing,
  GENERATION_HEADER,
  type Health,
  type InputListing,
  SHA256_HEADER,
  type StopRequest,
} from './server/protocol.ts';

/** The connection ended before the answer was whole. What was asked may have happened. */
export class ConnectionLostError extends Error {
  override name = 'ConnectionLostError';
}

/** The tool server answered, and refused. */
export class ToolServerError extends Error {
  override name = 'ToolServerError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface ArchiveStream {
  sha256: string;
  takenAt: string;
  body: Readable;
}

export interface ToolClient {
  health(): Promise<Health>;
  /** Starts, attaches or replays; answers after `waitMs` at the latest (25 s at most). */
  call(call: ToolCall, waitMs: number, signal: AbortSignal): Promise<CallState>;
  /** Waits for the end of a call that was made before. */
  wait(id: string, waitMs: number, signal: AbortSignal): Promise<CallState>;
  stop(request: StopRequest): Promise<void>;
  /** undefined when the files are those of `since`. */
  pack(since?: string): Promise<ArchiveStream | undefined>;
  unpack(body: Readable): Promise<void>;
  listFiles(path: string): Promise<FileStat[]>;
  readFile(path: string): Promise<Readable>;
  /** The read-only files that are in place. */
  inputs(): Promise<InputFile[]>;
  outputs(limits: { fileBytes: number; files: number }): Promise<OutputListing>;
  placeInput(file: InputFile, body: Readable): Promise<void>;
  removeInput(path: string): Promise<void>;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  stream: ClientHttp2Stream;
}

/** A client of one sandbox; `connection` gives the live one of the moment. */
export function createToolClient(generation: number, connection: () => Promise<ClientHttp2Session>): ToolClient {
  const json = async (method: string, path: string, body?: object, signal?: AbortSignal): Promise<unknown> => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { stream } = await ask(await connection(), generation, { method, path, body: text, signal });
    return JSON.parse(await textOf(stream)) as unknown;
  };
  const callPath = (id: string, waitMs: number) => `/calls/${encodeURIComponent(id)}?wait=${waitMs / 1000}`;

  return {
    health: async () => (await json('GET', '/health')) as Health,
    async call({ id, ...request }, waitMs, signal) {
      return (await json('POST', callPath(id, waitMs), request satisfies CallRequest, signal)) as CallState;
    },
    async wait(id, waitMs, signal) {
      return (await json('GET', callPath(id, waitMs), undefined, signal)) as CallState;
    },
    async stop(request) {
      await json('POST', '/stop', request);
    },
    async pack(since) {
      const path = since ? `/checkpoint?since=${since}` : '/checkpoint';
      const { status, headers, stream } = await ask(await connection(), generation, { method: 'GET', path });
      if (status === 204) {
        stream.resume();
        return undefined;
      }
      const sha256 = String(headers[SHA256_HEADER]);
      return { sha256, takenAt: String(headers['last-modified']), body: whole(stream, headers) };
    },
    async unpack(body) {
      const { stream } = await ask(await connection(), generation, { method: 'PUT', path: '/checkpoint', body });
      await textOf(stream);
    },
    async listFiles(path) {
      const { files } = (await json('GET', `/files?path=${encodeURIComponent(path)}`)) as FileListing;
      return files;
    },
    async readFile(path) {
      const target = `/file?path=${encodeURIComponent(path)}`;
      const { stream, headers } = await ask(await connection(), generation, { method: 'GET', path: target });
      return whole(stream, headers);
    },
    inputs: async () => ((await json('GET', '/inputs')) as InputListing).files,
    async outputs({ fileBytes, files }) {
      return (await json('GET', `/outputs?fileBytes=${fileBytes}&files=${files}`)) as OutputListing;
    },
    async placeInput({ path, sha256, bytes, executable }, body) {
      const search = new URLSearchParams({
        path,
        sha256,
        bytes: String(bytes),
        ...(executable ? { executable: '' } : {}),
      });
      const { stream } = await ask(await connection(), generation, { method: 'PUT', path: `/inputs?${search}`, body });
      await textOf(stream);
    },
    async removeInput(path) {
      await json('DELETE', `/inputs?${new URLSearchParams({ path })}`);
    },
  };
}

interface Question {
  method: string;
  path: string;
  body?: string | Readable;
  signal?: AbortSignal;
}

async function ask(session: ClientHttp2Session, generation: number, question: Question): Promise<Answer> {
  const { method, path, body, signal } = question;
  signal?.throwIfAborted();
  let stream: ClientHttp2Stream;
  try {
    const headers = { ':method': method, ':path': path, [GENERATION_HEADER]: String(generation) };
    stream = session.request(headers, { endStream: body === undefined });
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
      textOf(stream).then(
        (text) => reject(new ToolServerError(status, (JSON.parse(text) as Failure).error)),
        (error: Error) => reject(error),
      );
    });
  });
}

async function textOf(stream: ClientHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
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
function whole(stream: ClientHttp2Stream, headers: IncomingHttpHeaders): Readable {
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
