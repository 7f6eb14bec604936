/**
 * Where a sandbox dials in: a Unix socket of its own in a folder that it sees read-only. We listen, it connects; then
 * roles turn and we are the HTTP client. Opening the same door again (a new hands worker) makes the sandbox dial anew.
 */
import { chmod, chown, rename, rm, stat } from 'node:fs/promises';
import type { ClientHttp2Session } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { watchedSession } from '../http2-session.ts';
import { ConnectionLostError } from '../tool-client.ts';

const STAND_AGAIN_MS = 200;

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

/**
 * Listens at `path`; `uid` (as root) is whose socket it becomes. A connection without a pong for `patienceMs` ends.
 * Several doors may be opened at one path, by workers that overlap: each new one is dialled too.
 */
export async function openDoor(path: string, patienceMs: number, uid?: number): Promise<Door> {
  let live: ClientHttp2Session | undefined;
  let closed = false;
  const waiting = new Set<Waiting>();

  const take = (socket: Socket) => {
    const session = watchedSession(socket, patienceMs);
    session.once('remoteSettings', () => {
      live?.close();
      live = session;
      for (const { resolve } of waiting) resolve(session);
      waiting.clear();
    });
    session.once('close', () => {
      if (live === session) live = undefined;
    });
  };
  let listener = await listen(path, uid, take);

  const rejectAll = (reason: string) => {
    for (const { reject } of waiting) reject(new ConnectionLostError(reason));
    waiting.clear();
  };

  /** Another worker's socket stands in our place: put ours there again, or we would never be dialled. */
  const standAgain = async () => {
    if (closed || waiting.size === 0 || (await inodeOf(path)) === listener.inode) return;
    const before = listener.server;
    listener = await listen(path, uid, take);
    before.close();
  };

  return {
    async connection(ms) {
      if (live && !live.closed && !live.destroyed) return live;
      if (closed) throw new ConnectionLostError('These hands are closed.');
      const look = setInterval(() => void standAgain().catch(() => undefined), STAND_AGAIN_MS);
      try {
        return await next(waiting, ms);
      } finally {
        clearInterval(look);
      }
    },
    giveUp: rejectAll,
    async close() {
      closed = true;
      rejectAll('These hands are closed.');
      live?.destroy();
      await new Promise<void>((resolve) => listener.server.close(() => resolve()));
    },
  };
}

function next(waiting: Set<Waiting>, ms: number): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => one.reject(new ConnectionLostError(`The sandbox did not dial in ${ms} ms.`)), ms);
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
}

let drafts = 0;

/** Binds under another name first: Node removes that name on close, and must not remove a later worker's socket. */
async function listen(path: string, uid: number | undefined, take: (socket: Socket) => void) {
  const draft = join(dirname(path), `${process.pid}.${++drafts}`);
  await rm(draft, { force: true });
  const server = createServer(take);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(draft, () => resolve());
  });
  await chmod(draft, 0o600);
  if (uid !== undefined) await chown(draft, uid, uid);
  const inode = await inodeOf(draft);
  await rename(draft, path);
  return { server, inode };
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found?.ino;
}
