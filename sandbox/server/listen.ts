/**
 * The tool server behind a port of the sandbox's own network. The agent shares that network: it can knock, so every
 * request shows a token of which only the hash is known here; and it could listen in our place after a crash, so
 * `GET /health?challenge=` proves that it is us before anybody shows us a token.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http2';
import { WINDOW_BYTES } from './dial.ts';
import type { ListenConfig } from './protocol.ts';
import type { Request, Response } from './routes.ts';

/** Connections at once: a few workers, each with one. What the agent opens to fill them ends after this many ms. */
const UNKNOWN_CONNECTION_MS = 10_000;

/** Rejects when it cannot listen. */
export function serveByListening(
  { port, tokenSha256 }: ListenConfig,
  handler: (request: Request, response: Response) => void,
): Promise<never> {
  const expected = Buffer.from(tokenSha256, 'hex');
  const server = createServer({ settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: 1_000 } });
  server.on('session', (session) => {
    session.setLocalWindowSize(WINDOW_BYTES);
    session.setTimeout(UNKNOWN_CONNECTION_MS, () => session.destroy());
  });
  server.on('sessionError', () => undefined);
  server.on('request', (request, response) => {
    const known = isToken(request.headers.authorization, expected);
    const isHealth = request.method === 'GET' && /^\/health(\?|$)/.test(request.url);
    if (!known && !isHealth) {
      response.statusCode = 401;
      response.end(JSON.stringify({ error: 'The token of this sandbox is missing or wrong.' }));
      return;
    }
    if (known) request.stream.session?.setTimeout(0);
    handler(request, response);
  });
  return new Promise((_resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '0.0.0.0');
  });
}

/** Answer to a challenge, hex. */
export function proofOf(proofKey: string, challenge: string): string {
  return createHmac('sha256', Buffer.from(proofKey, 'hex')).update(challenge).digest('hex');
}

function isToken(authorization: string | undefined, expected: Buffer): boolean {
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
  if (token === undefined) return false;
  return timingSafeEqual(createHash('sha256').update(token).digest(), expected);
}
