/**
 * The hands' side of the tool server's HTTP, over an HTTP/2 connection that somebody else made. Knows nothing of how a
 * sandbox is run, so every provider can use it.
 */
import type { ClientHttp2Session } from 'node:http2';
import type { Readable } from 'node:stream';
import type { FileStat, InputFile, OutputListing, ToolCall } from './hands.ts';
import type { LargeAnswer } from './http1-ask.ts';
import { ask, ConnectionLostError, type Question, RefusedError, textOf, whole } from './http2-ask.ts';
import {
  type CallRequest,
  type CallState,
  type Claim,
  type FileListing,
  GENERATION_HEADER,
  type Health,
  type InputListing,
  SHA256_HEADER,
  type StopRequest,
} from './server/protocol.ts';

export { ConnectionLostError };
/** The tool server answered, and refused. */
export const ToolServerError = RefusedError;
export type ToolServerError = RefusedError;

export interface ArchiveStream {
  sha256: string;
  takenAt: string;
  body: Readable;
}

export interface ToolClient {
  health(): Promise<Health>;
  /** Makes a sandbox that was made ahead of need a session's. Safe to repeat. */
  claim(claim: Claim): Promise<void>;
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

interface Ways {
  /** Shown with every request, where the server wants one. */
  token?: string;
  /** A better way for what is large than the connection that everything shares. */
  alone?: (question: Question) => Promise<LargeAnswer>;
}

/** A client of one sandbox; `connection` gives the live one of the moment. */
export function createToolClient(
  generation: number,
  connection: () => Promise<ClientHttp2Session>,
  { token, alone }: Ways = {},
): ToolClient {
  const headers = {
    [GENERATION_HEADER]: String(generation),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const put = async (question: Omit<Question, 'headers'>) => await ask(await connection(), { ...question, headers });
  const shared = async (question: Question): Promise<LargeAnswer> => {
    const answer = await ask(await connection(), question);
    return { ...answer, body: whole(answer) };
  };
  const large = async (question: Omit<Question, 'headers'>) => {
    // It may fail before anybody reads from it: who sends it finds that out.
    if (question.body && typeof question.body !== 'string') question.body.on('error', () => undefined);
    return await (alone ?? shared)({ ...question, headers });
  };
  const json = async (method: string, path: string, body?: object, signal?: AbortSignal): Promise<unknown> => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const { stream } = await put({ method, path, body: text, signal });
    return JSON.parse(await textOf(stream)) as unknown;
  };
  const callPath = (id: string, waitMs: number) => `/calls/${encodeURIComponent(id)}?wait=${waitMs / 1000}`;

  return {
    health: async () => (await json('GET', '/health')) as Health,
    async claim(claim) {
      await json('PUT', '/claim', claim);
    },
    async call({ id, attempt: _, ...request }, waitMs, signal) {
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
      const { status, headers: told, body } = await large({ method: 'GET', path });
      if (status === 204) {
        drop(body);
        return undefined;
      }
      return { sha256: String(told[SHA256_HEADER]), takenAt: String(told['last-modified']), body };
    },
    async unpack(body) {
      drop((await large({ method: 'PUT', path: '/checkpoint', body })).body);
    },
    async listFiles(path) {
      const { files } = (await json('GET', `/files?path=${encodeURIComponent(path)}`)) as FileListing;
      return files;
    },
    async readFile(path) {
      return (await large({ method: 'GET', path: `/file?path=${encodeURIComponent(path)}` })).body;
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
      drop((await large({ method: 'PUT', path: `/inputs?${search}`, body })).body);
    },
    async removeInput(path) {
      await json('DELETE', `/inputs?${new URLSearchParams({ path })}`);
    },
  };
}

/** Of an answer whose status says it all. */
function drop(body: Readable): void {
  body.on('error', () => undefined).resume();
}
