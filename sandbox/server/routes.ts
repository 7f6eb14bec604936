/** The HTTP face of the tool server. The same handler serves HTTP/1.1 and HTTP/2. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';

import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { InputFile } from '../hands.ts';
import type { AgentSide } from './agent-side.ts';
import { ArchiveTooLargeError, pack, readArchive, unpack } from './archive.ts';
import { CallConflictError, type Calls } from './calls.ts';
import { ClaimedError, takeClaim } from './claims.ts';
import { InputRefusedError, type Inputs } from './inputs.ts';
import type { Journal } from './journal.ts';
import {
  type CallRequest,
  type Claim,
  GENERATION_HEADER,
  type Health,
  MAX_WAIT_MS,
  type ServerConfig,
  SHA256_HEADER,
  type StopRequest,
} from './protocol.ts';

/** Bytes of a JSON body: the largest `write` that a model can ask for is far below. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

export type Request = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

interface Parts {
  config: ServerConfig;
  journal: Journal;
  calls: Calls;
  side: AgentSide;
  inputs: Inputs;
  /** Folder for archives, on the server's own mount. */
  spoolDir: string;
}

/** An answer with a status of its own. */
class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function createHandler(parts: Parts): (request: Request, response: Response) => void {
  return (request, response) => {
    route(parts, request, response).catch((error: Error) => {
      const status = statusOf(error);
      if (response.headersSent) response.destroy?.();
      else send(response, status, { error: error.message });
    });
  };
}

function statusOf(error: Error): number {
  if (error instanceof HttpError) return error.status;
  if (error instanceof CallConflictError || error instanceof ClaimedError) return 409;
  // Insufficient storage: the same files will not fit at the next attempt either.
  return error instanceof InputRefusedError ? 507 : 500;
}

async function route(parts: Parts, request: Request, response: Response): Promise<void> {
  const { config, calls } = parts;
  const { tools } = parts.side;
  const url = new URL(request.url ?? '/', 'http://sandbox');
  const ready = !config.awaitRestore || parts.journal.restored();
  if (request.method === 'GET' && url.pathname === '/health') {
    const health: Health = { sessionId: config.sessionId, generation: config.generation, ready };
    return send(response, 200, health);
  }
  if (request.method === 'PUT' && url.pathname === '/claim') {
    const claim = (await readJson(request)) as Claim;
    takeClaim(config, claim);
    await parts.side.tell(claim.shellNote);
    return send(response, 200, {});
  }
  checkGeneration(config, request);
  const path = url.searchParams.get('path') ?? '';
  const call = /^\/calls\/([^/]{1,200})$/.exec(url.pathname)?.[1];

  switch (`${request.method} ${call === undefined ? url.pathname : '/calls/{id}'}`) {
    case 'PUT /checkpoint':
      return await restore(parts, request, response);
    case 'POST /calls/{id}':
      if (!ready) throw new HttpError(503, 'The files of this sandbox are still being restored.');
      calls.start(id(call), callRequest(await readJson(request)));
      return send(response, 200, await calls.wait(id(call), waitOf(url)));
    case 'GET /calls/{id}': {
      const state = await calls.wait(id(call), waitOf(url));
      if (!state) throw new HttpError(404, `Call ${call} was never made here.`);
      return send(response, 200, state);
    }
    case 'POST /stop':
      await calls.stop((await readJson(request)) as StopRequest);
      return send(response, 200, {});
    case 'GET /files':
      return send(response, 200, { files: await notFound(tools.list(path)) });
    case 'GET /file':
      return await sendFile(parts, path, response);
    case 'GET /outputs': {
      const [fileBytes, files] = ['fileBytes', 'files'].map((name) => Number(url.searchParams.get(name)));
      return send(response, 200, await tools.outputs({ fileBytes: fileBytes ?? 0, files: files ?? 0 }));
    }
    case 'GET /inputs':
      return send(response, 200, { files: parts.inputs.list() });
    case 'PUT /inputs':
      await parts.inputs.place(inputOf(url), request as Readable);
      return send(response, 200, {});
    case 'DELETE /inputs':
      await parts.inputs.remove(path);
      return send(response, 200, {});
    case 'GET /checkpoint':
      return await checkpoint(parts, url.searchParams.get('since'), response);
    default:
      throw new HttpError(404, `There is no ${request.method} ${url.pathname}.`);
  }
}

function checkGeneration(config: ServerConfig, request: Request): void {
  const named = request.headers[GENERATION_HEADER];
  if (named === String(config.generation)) return;
  throw new HttpError(409, `This is generation ${config.generation} of the sandbox, not ${named ?? 'an unnamed one'}.`);
}

function id(encoded: string | undefined): string {
  return decodeURIComponent(encoded ?? '');
}

function inputOf({ searchParams: search }: URL): InputFile {
  const path = search.get('path') ?? '';
  const file = { path, sha256: search.get('sha256') ?? '', bytes: Number(search.get('bytes')) };
  return search.has('executable') ? { ...file, executable: true } : file;
}

function waitOf(url: URL): number {
  const seconds = Number.parseFloat(url.searchParams.get('wait') ?? '0');
  return Math.min(MAX_WAIT_MS, Math.max(0, (Number.isFinite(seconds) ? seconds : 0) * 1000));
}

function callRequest(body: unknown): CallRequest {
  const request = body as CallRequest;
  const valid =
    typeof request?.thread === 'string' &&
    typeof request.name === 'string' &&
    typeof request.input === 'object' &&
    request.input !== null &&
    request.deadlineMs > 0;
  if (!valid) throw new HttpError(400, 'A call has thread, name, input and deadlineMs (milliseconds, above 0).');
  return request;
}

async function restore({ config, journal, side }: Parts, request: Request, response: Response): Promise<void> {
  if (!config.awaitRestore || journal.restored()) throw new HttpError(409, 'There is nothing to restore here.');
  await unpack(side.files, request as Readable);
  journal.markRestored();
  send(response, 200, {});
}

async function checkpoint({ config, spoolDir, side }: Parts, since: string | null, response: Response): Promise<void> {
  const archive = await pack(side.files, spoolDir, config.skills === true, config.checkpoint).catch(
    (error: unknown) => {
      throw error instanceof ArchiveTooLargeError ? new HttpError(413, error.message) : error;
    },
  );
  if (archive.sha256 === since) {
    await archive.remove();
    return send(response, 204);
  }
  response.setHeader(SHA256_HEADER, archive.sha256);
  response.setHeader('content-length', archive.bytes);
  response.setHeader('last-modified', archive.takenAt);
  await pipeline(readArchive(archive), asWritable(response));
}

async function sendFile({ side }: Parts, path: string, response: Response): Promise<void> {
  const { body, modifiedAt } = await notFound(side.files.read(path));
  response.setHeader('last-modified', modifiedAt);
  await pipeline(body, asWritable(response));
}

/** Both kinds are streams; their types do not agree with each other. */
function asWritable(response: Response): Writable {
  return response as Writable;
}

async function notFound<T>(answer: Promise<T>): Promise<T> {
  return await answer.catch((error: Error) => {
    throw new HttpError(404, error.message);
  });
}

async function readJson(request: Request): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new HttpError(413, `A body may have ${MAX_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new HttpError(400, 'The body is not JSON.');
  }
}

function send(response: Response, status: number, body?: object): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  if (body === undefined) response.end();
  else response.end(JSON.stringify(body));
}
