/**
 * Where a sandbox dials in: a Unix socket of its own in a folder that it sees read-only. We listen, it connects; then
 * roles turn and we are the HTTP client. Opening the same door again (a new hands worker) makes the sandbox dial anew.
 */
import { chmod, chown, rm } from 'node:fs/promises';
import { type ClientHttp2Session, connect as http2Connect } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { WINDOW_BYTES } from '../server/dial.ts';
import { ConnectionLostError } from '../tool-client.ts';

/** Pings within the time that an answer may take; idle sandboxes should cost nothing. */
const PINGS = 5;

export interface Door {
  /** The live connection, or the next one. Rejects with {@link ConnectionLostError} when none comes in `ms`. */
  connection(ms: number): Promise<ClientHttp2Session>;
  /** Rejects everything that waits for a connection, e.g. because the sandbox is dead. */
  giveUp(reason: string): void;
  close(): Promise<void>;
}

interface Waiting {
  resolve(session: ClientHttp2Session): void;
  reject(error: Error): void;
}

/** Listens at `path`; `uid` (as root) is whose socket it becomes. A connection without a pong for `patienceMs` ends. */
export async function openDoor(path: string, patienceMs: number, uid?: number): Promise<Door> {
  let live: ClientHttp2Session | undefined;
  let closed = false;
  const waiting = new Set<Waiting>();

  const server = createServer((socket) => {
    const session = overSocket(socket, patienceMs);
    session.once('remoteSettings', () => {
      live?.close();
      live = session;
      for (const { resolve } of waiting) resolve(session);
      waiting.clear();
    });
    session.once('close', () => {
      if (live === session) live = undefined;
    });
  });
  server.on('error', () => undefined);
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
  await chmod(path, 0o600);
  if (uid !== undefined) await chown(path, uid, uid);

  const rejectAll = (reason: string) => {
    for (const { reject } of waiting) reject(new ConnectionLostError(reason));
    waiting.clear();
  };

  return {
    async connection(ms) {
      if (live && !live.closed && !live.destroyed) return live;
      if (closed) throw new ConnectionLostError('These hands are closed.');
      return await new Promise<ClientHttp2Session>((resolve, reject) => {
        const timer = setTimeout(
          () => one.reject(new ConnectionLostError(`The sandbox did not dial in ${ms} ms.`)),
          ms,
        );
        const one: Waiting = {
          resolve: (session) => {
            clearTimeout(timer);
            resolve(session);
          },
          reject: (error) => {
            clearTimeout(timer);
            waiting.delete(one);
            reject(error);
          },
        };
        waiting.add(one);
      });
    },
    giveUp: rejectAll,
    async close() {
      closed = true;
      rejectAll('These hands are closed.');
      live?.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function overSocket(socket: Socket, patienceMs: number): ClientHttp2Session {
  const session = http2Connect('http://sandbox', {
    createConnection: () => socket,
    settings: { initialWindowSize: WINDOW_BYTES },
  });
  session.once('connect', () => session.setLocalWindowSize(WINDOW_BYTES));
  session.on('error', () => undefined);
  socket.on('error', () => undefined);
  let lastPong = Date.now();
  const timer = setInterval(() => {
    if (Date.now() - lastPong > patienceMs) return session.destroy();
    session.ping((error) => {
      if (!error) lastPong = Date.now();
    });
  }, patienceMs / PINGS);
  session.once('close', () => clearInterval(timer));
  // The sandbox lives on without us: an idle connection must not keep this process alive.
  timer.unref();
  return session;
}
