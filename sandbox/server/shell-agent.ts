/**
 * The program of the agent's own container: does for the tool server next door what needs the agent's uid. It has
 * nothing to hide, and everything here may be killed by the agent: its first process ends what is left and starts it
 * anew. It lives for one connection: a tool server that comes back finds nothing of before.
 */
import { rmSync } from 'node:fs';
import { createServer as createHttp1Server } from 'node:http';
import { createServer } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentSide } from './agent-side.ts';
import type { BashRun } from './bash.ts';
import { WINDOW_BYTES } from './dial.ts';
import { createLocalSide } from './local-side.ts';
import {
  type BashAnswer,
  type BashRequest,
  type Begin,
  LOOPBACK,
  MODIFIED_HEADER,
  type Note,
  type ToolRequest,
} from './peer-protocol.ts';

import type { Request, Response } from './routes.ts';

const PAUSE_MS = 20;

/** Ends the process when the connection ends. @param bundle - this program's own file. */
export async function runShellAgent(port: number, bundle: string): Promise<void> {
  // Not called node: the agent ends what it started by that name.
  process.title = 'longhand-shell';
  const server = createServer({ settings: { initialWindowSize: WINDOW_BYTES } });
  server.on('session', (session) => session.setLocalWindowSize(WINDOW_BYTES));
  server.on('sessionError', () => undefined);
  let side: AgentSide | undefined;
  const runs = new Map<string, BashRun>();
  const listener = (request: Request, response: Response) => {
    answer(request, response).catch((error: Error) => {
      if (response.headersSent) response.destroy(error);
      else send(response, 500, { error: error.message });
    });
  };
  server.on('request', listener);
  // For connections of one large answer each, however long it takes.
  const alone = createHttp1Server({ requestTimeout: 0 }, listener);

  const answer = async (request: Request, response: Response): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://shell');
    const path = url.searchParams.get('path') ?? '';
    const route = `${request.method} ${url.pathname}`;
    if (route === 'PUT /begin') {
      const config = (await readJson(request)) as Begin;
      rmSync(config.runDir, { recursive: true, force: true, maxRetries: 1 });
      side = createLocalSide(config, bundle, join(config.runDir, 'spool'));
      return send(response, 200, {});
    }
    if (!side) throw new Error('It was not told how to work.');
    switch (route) {
      case 'POST /dial': {
        const socket = connect({ host: LOOPBACK, port, noDelay: true });
        socket.on('error', () => undefined);
        socket.write(`${url.searchParams.get('word')}\n`);
        alone.emit('connection', socket);
        return send(response, 200, {});
      }
      case 'PUT /note':
        await side.tell(((await readJson(request)) as Note).shellNote);
        return send(response, 200, {});
      case 'POST /bash':
        return send(response, 200, await runBash(side, runs, (await readJson(request)) as BashRequest));
      case 'POST /stop':
        runs.get(url.searchParams.get('id') ?? '')?.stop();
        return send(response, 200, {});
      case 'POST /restart':
        side.bash.restart(url.searchParams.get('thread') ?? '');
        return send(response, 200, {});
      case 'POST /tool': {
        const { name, input } = (await readJson(request)) as ToolRequest;
        const gone = new AbortController();
        response.once('close', () => gone.abort());
        return send(response, 200, await side.tools.run(name, input, gone.signal));
      }
      case 'GET /list':
        return send(response, 200, await side.tools.list(path));
      case 'GET /locate':
        return send(response, 200, await side.tools.locate(path));
      case 'GET /outputs': {
        const [fileBytes = 0, files = 0] = ['fileBytes', 'files'].map((name) => Number(url.searchParams.get(name)));
        return send(response, 200, await side.tools.outputs({ fileBytes, files }));
      }
      case 'GET /file': {
        const { body, modifiedAt } = await side.files.read(path);
        response.setHeader(MODIFIED_HEADER, modifiedAt);
        return await pipeline(body, response as Writable);
      }
      case 'GET /tar':
        return await pipeline(await side.files.tar(url.searchParams.has('skills')), response as Writable);
      case 'PUT /tar':
        await side.files.untar(request as Readable);
        return send(response, 200, {});
      default:
        throw new Error(`There is no ${route}.`);
    }
  };

  for (;;) {
    const socket = connect({ host: LOOPBACK, port, noDelay: true });
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    if (connected) {
      server.emit('connection', socket);
      await ended;
      process.exit(0);
    }
    await sleep(PAUSE_MS);
  }
}

async function runBash(side: AgentSide, runs: Map<string, BashRun>, call: BashRequest): Promise<BashAnswer> {
  const run = await side.bash.start(call).catch((error: Error) => error);
  if (run instanceof Error) return { started: false, reason: run.message };
  runs.set(call.id, run);
  try {
    return { started: true, end: await run.end };
  } finally {
    runs.delete(call.id);
  }
}

async function readJson(request: Request): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
}

function send(response: Response, status: number, body: object): void {
  if (response.writableEnded || response.destroyed) return;
  response.statusCode = status;
  response.end(JSON.stringify(body));
}
