/**
 * The tool server behind a port of the sandbox's own network. The agent shares that network, so it can knock, and listen
 * elsewhere: connections are encrypted with a key that only the hands and we know, and every request shows a token of
 * which only the hash is known here.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { WINDOW_BYTES } from './dial.ts';
import type { ListenConfig } from './protocol.ts';
import { pskServer } from './psk.ts';
import type { Request, Response } from './routes.ts';

/** A new pod has no network for some tenths of a second. */
const LOOK_MS = 20;

type Handler = (request: Request, response: Response) => void;

/** Rejects when it cannot listen. */
export async function serveByListening(config: ListenConfig, handler: Handler): Promise<never> {
  const server = createListener(config, handler);
  const host = await ownAddress();
  return await new Promise((_resolve, reject) => {
    server.once('error', reject);
    // Not at all addresses: under gVisor another socket could then listen at this one, and get the connections.
    server.listen(config.port, host);
  });
}

/** The server, before it listens. */
export function createListener({ tokenSha256, psk }: Omit<ListenConfig, 'port'>, handler: Handler): Http2SecureServer {
  const expected = Buffer.from(tokenSha256, 'hex');
  const settings = { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: 1_000 };
  const server = createSecureServer({ settings, allowHTTP1: true, ...pskServer(psk) });
  // HTTP/1.1 is for one large answer or body each, however long it takes. Settable, and not in its types.
  Object.assign(server, { requestTimeout: 0 });
  server.on('session', (session) => session.setLocalWindowSize(WINDOW_BYTES));
  server.on('sessionError', () => undefined);
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.setNoDelay(true));
  server.on('request', (request, response) => {
    if (isToken(request.headers.authorization, expected)) return handler(request, response);
    response.statusCode = 401;
    response.end(JSON.stringify({ error: 'The token of this sandbox is missing or wrong.' }));
  });
  return server;
}

async function ownAddress(): Promise<string> {
  for (;;) {
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const own = all.find(({ internal, family }) => !internal && family === 'IPv4') ?? all.find(isGlobalV6);
    if (own) return own.address;
    await sleep(LOOK_MS);
  }
}

function isGlobalV6({ internal, address }: { internal: boolean; address: string }): boolean {
  return !internal && !address.startsWith('fe80:');
}

function isToken(authorization: string | undefined, expected: Buffer): boolean {
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
  if (token === undefined) return false;
  return timingSafeEqual(createHash('sha256').update(token).digest(), expected);
}
