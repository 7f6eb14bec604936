/**
 * Where the agent's side dials in, when it is another container: a loopback port. One connection at a time: whoever else dials is turned away, so the first comer, who was there before
 * any command, stays the only one until its container's first process has ended everything in it.
 */
import { type ClientHttp2Session, connect } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { ConnectionLostError } from '../http2-ask.ts';
import { WINDOW_BYTES } from './dial.ts';
import { LOOPBACK } from './peer-protocol.ts';

export interface ShellDoor {
  /** The live connection, or the next. Rejects with {@link ConnectionLostError} when none comes in `ms`. */
  connection(ms: number): Promise<ClientHttp2Session>;
}

/**
 * Rejects nothing and throws nothing: a port that is taken ends the process, which is then started again.
 * @param begin - prepares a new connection; `nth` counts them from 1. One that it rejects is dropped.
 */
export function openShellDoor(
  port: number,
  begin: (session: ClientHttp2Session, nth: number) => Promise<void>,
): ShellDoor {
  let taken: Socket | undefined;
  let live: ClientHttp2Session | undefined;
  let nth = 0;
  const waiting = new Set<(session: ClientHttp2Session) => void>();

  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    if (taken && !taken.destroyed) return void socket.destroy();
    taken = socket;
    const session = connect('http://shell', {
      createConnection: () => socket,
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    });
    session.on('error', () => undefined);
    session.once('close', () => {
      socket.destroy();
      if (live === session) live = undefined;
    });
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(WINDOW_BYTES);
    });
    begin(session, ++nth).then(
      () => {
        live = session;
        for (const resolve of waiting) resolve(session);
        waiting.clear();
      },
      () => session.destroy(),
    );
  });
  server.listen({ host: LOOPBACK, port });

  return {
    async connection(ms) {
      if (live && !live.closed && !live.destroyed) return live;
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(take);
          reject(new ConnectionLostError(`the shell of the sandbox did not come back within ${ms / 1000} s`));
        }, ms);
        const take = (session: ClientHttp2Session) => {
          clearTimeout(timer);
          resolve(session);
        };
        waiting.add(take);
      });
    },
  };
}
