/** The API as a listening server, with its limits and its housekeeping. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { removeOldOutcomes } from '../store/idempotency.ts';
import { createPresence } from '../store/presence.ts';
import { createApi } from './app.ts';
import type { ApiDeps } from './context.ts';
import { loggable } from './errors.ts';
import { createFileSweep } from './file-sweep.ts';
import { checkBindAddress, isLoopback } from './safety.ts';
import { createSessionParts } from './session-parts.ts';
import { tellUntold } from './tell-inputs.ts';
import { answerExpectation, answerUnreadable, answerWireErrors } from './wire-errors.ts';

const LIMITS = {
  maxHeaderSize: 32 * 1024,
  /** Its lack is answered by us, in the form of all other errors. */
  requireHostHeader: false,
  /** A client has so long to send its headers, and its whole request. */
  headersTimeout: 20_000,
  /** Of uploads; `limitReception` holds every other request to less. */
  requestTimeout: 4 * 3_600_000,
  keepAliveTimeout: 65_000,
};
/** A whole request that is no upload must have arrived within this, ms. */
const RECEPTION_MS = 300_000;
const UPLOAD = /^\/v1\/(files|skills)(\/|\?|$)/;
const MAX_CONNECTIONS = 10_000;
const SWEEP_MS = 30_000;
/** Requests under way may end; after this they are cut. */
const CLOSE_MS = 15_000;
/** For housekeeping that is under way at a stop. */
const SWEEP_END_MS = 2_000;
/** For clients of a server that stops: another one, or the next, is there in a moment. */
const COME_BACK = 'retry: 1000\n: the server is stopping; connect again with Last-Event-ID\n\n';
const IDLE_LOOK_MS = 20;

export interface ApiServer {
  /** `http://127.0.0.1:8787` */
  url: string;
  /** Ends streams, lets requests finish for a moment, and stops listening. Safe to repeat. */
  close(): Promise<void>;
}

/** @throws Error with one clear line when the address is not allowed or in use. */
export async function startApi(deps: ApiDeps, address: { host: string; port: number }): Promise<ApiServer> {
  const { host, port } = address;
  checkBindAddress(host, deps.settings.explicitKey);
  const parts = createSessionParts(deps);
  const presence = createPresence(deps.database.pool);
  const app = createApi(deps, { loopback: isLoopback(host), parts, presence });
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    errorHandler: answerUnreadable(deps),
  });
  const server = createServer(LIMITS, (incoming, outgoing) => void listener(incoming, outgoing));
  server.on('clientError', answerWireErrors(deps));
  server.on('checkExpectation', answerExpectation(deps));
  server.on('request', limitReception);
  server.maxConnections = MAX_CONNECTIONS;
  const closeUnused = trackUnused(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const used = error.code === 'EADDRINUSE';
      reject(used ? new Error(`Port ${port} on ${host} is in use; stop that program or set LONGHAND_PORT.`) : error);
    });
    server.listen(port, host, resolve);
  });
  const sweepFiles = createFileSweep(deps);
  const sweep = async () => {
    await sweepFiles();
    await removeOldOutcomes(deps.database.orm, new Date(deps.now()));
    await parts.life.sweep();
    await tellUntold(deps);
  };
  let closing: Promise<void> | undefined;
  let sweeping: Promise<void> | undefined;
  const sweepQuietly = () => {
    sweeping ??= sweep()
      // What a stop cuts off is done after the next start.
      .catch((error: unknown) => closing ?? deps.log.warn({ err: loggable(error) }, 'housekeeping failed'))
      .finally(() => {
        sweeping = undefined;
      });
  };
  const timer = setInterval(sweepQuietly, SWEEP_MS);
  sweepQuietly();

  const close = async () => {
    clearInterval(timer);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const stream of parts.streams) stream.end(COME_BACK);
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
    // A connection is idle only once its answer has gone out.
    const idle = setInterval(() => {
      server.closeIdleConnections();
      closeUnused();
    }, IDLE_LOOK_MS);
    await closed;
    clearTimeout(cut);
    clearInterval(idle);
    // It may wait for a Temporal server that is away.
    await Promise.race([sweeping, sleep(SWEEP_END_MS, undefined, { ref: false })]);
    await presence.close();
  };
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/**
 * Connections that clients opened ahead of need: browsers do, and the fetch of Node. To Node they are not idle.
 * @returns closes those on which nothing has come yet.
 */
function trackUnused(server: Server): () => void {
  const unused = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', ({ socket }: IncomingMessage) => unused.delete(socket));
  return () => {
    for (const socket of unused) if (socket.bytesRead === 0) socket.destroy();
  };
}

/** Node has one limit for all requests, and uploads need a long one. */
function limitReception(request: IncomingMessage): void {
  const { headers, method, url = '' } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if (!hasBody || (method === 'POST' && UPLOAD.test(url))) return;
  const timer = setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, RECEPTION_MS);
  request.once('close', () => clearTimeout(timer));
}
