/**
 * The sandbox dials out and serves HTTP/2 over the connection: nothing inside listens, and the host opens no door that
 * a sandbox could knock at. Dials again when the connection ends, and when another socket stands where it dialled: a
 * new hands worker.
 */
import { stat } from 'node:fs/promises';
import { createServer, type Http2Server } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request, Response } from './routes.ts';

/** How often to look whether there is a new socket while the connection stands, which mostly ends first; milliseconds. */
const LOOK_MS = 1_000;
/** Pauses between attempts while nobody listens, milliseconds: an absent worker should cost nothing. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 500;
/** Bytes under way before an acknowledgement, per stream: files and checkpoints go through here. */
export const WINDOW_BYTES = 4 * 1024 * 1024;

/** Never resolves. */
export async function serveByDialling(
  path: string,
  handler: (request: Request, response: Response) => void,
): Promise<never> {
  const server = createServer({ settings: { initialWindowSize: WINDOW_BYTES } }, handler);
  server.on('session', (session) => session.setLocalWindowSize(WINDOW_BYTES));
  server.on('sessionError', () => undefined);
  let pause = FIRST_PAUSE_MS;
  let connected: { inode: bigint; socket: Socket; closed: Promise<unknown> } | undefined;
  for (;;) {
    const inode = await inodeOf(path);
    if (inode !== undefined && (connected === undefined || connected.socket.destroyed || connected.inode !== inode)) {
      // The earlier connection stays: an old worker may still be reading an answer.
      const socket = await dial(server, path).catch(() => undefined);
      if (socket) connected = { inode, socket, closed: new Promise((resolve) => socket.once('close', resolve)) };
    }
    if (connected && !connected.socket.destroyed) {
      pause = FIRST_PAUSE_MS;
      await Promise.race([sleep(LOOK_MS), connected.closed]);
    } else {
      await sleep(pause);
      pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS);
    }
  }
}

async function inodeOf(path: string): Promise<bigint | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found?.ino;
}

function dial(server: Http2Server, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.on('error', () => undefined);
      server.emit('connection', socket);
      resolve(socket);
    });
  });
}
