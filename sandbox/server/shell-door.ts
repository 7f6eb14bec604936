/**
 * Where the agent's side dials in, when it is another container: a loopback port. One connection at a time: whoever else
 * dials is turned away, so the first comer, who was there before any command, stays the only one until its container's
 * first process has ended everything in it. Only connections that it was asked for, for one large answer each, come beside
 * it: they begin with a word that it was told.
 */
import { randomBytes } from 'node:crypto';
import { type ClientHttp2Session, connect } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { ask, ConnectionLostError, textOf } from '../http2-ask.ts';
import { WINDOW_BYTES } from './dial.ts';
import { LOOPBACK } from './peer-protocol.ts';

export interface ShellDoor {
  /** The live connection, or the next. Rejects with {@link ConnectionLostError} when none comes in `ms`. */
  connection(ms: number): Promise<ClientHttp2Session>;
  /** A connection beside the live one, for one question. It ends with the live one. */
  another(ms: number): Promise<Socket>;
  /** Takes no more connections; those that are there stay. */
  close(): void;
}

const WORD_BYTES = 16;
/** For the agent's side to dial, and to say its word. */
const DIAL_MS = 10_000;
const WORD_MS = 2_000;
/** An agent that knocks more often than this is in the way of its own files alone. */
const MOST_KNOCKING = 64;

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
  /** By their words, those that the agent's side was asked for. */
  const asked = new Map<string, (socket: Socket) => void>();
  /** Connections beside the first, the asked ones included. */
  let knocking = 0;

  const admit = (word: string, socket: Socket) => {
    const take = asked.get(word);
    asked.delete(word);
    if (take) take(socket);
    else socket.destroy();
  };

  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    if (taken && !taken.destroyed) {
      if (asked.size === 0 || knocking >= MOST_KNOCKING) return void socket.destroy();
      knocking++;
      socket.once('close', () => knocking--);
      hearWord(socket, (word) => admit(word, socket));
      return;
    }
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

  const connection = async (ms: number): Promise<ClientHttp2Session> => {
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
  };

  return {
    connection,
    close: () => void server.close(),
    async another(ms) {
      const session = await connection(ms);
      const word = randomBytes(WORD_BYTES).toString('hex');
      const come = Promise.withResolvers<Socket>();
      // The question may fail first.
      come.promise.catch(() => undefined);
      const lost = () => come.reject(new ConnectionLostError('the shell of the sandbox did not dial again'));
      const timer = setTimeout(lost, DIAL_MS);
      session.once('close', lost);
      asked.set(word, come.resolve);
      try {
        const { stream } = await ask(session, { method: 'POST', path: `/dial?${new URLSearchParams({ word })}` });
        await textOf(stream);
        const socket = await come.promise;
        const end = () => socket.destroy();
        session.once('close', end);
        socket.once('close', () => session.off('close', end));
        if (session.destroyed) end();
        return socket;
      } finally {
        clearTimeout(timer);
        session.off('close', lost);
        asked.delete(word);
      }
    },
  };
}

/** Whoever says none in time is turned away. */
function hearWord(socket: Socket, heard: (word: string) => void): void {
  const most = 2 * WORD_BYTES + 1;
  socket.setTimeout(WORD_MS, () => socket.destroy());
  const look = () => {
    const bytes = socket.read(most) as Buffer | null;
    if (bytes === null) return;
    socket.off('readable', look);
    socket.setTimeout(0);
    socket.removeAllListeners('timeout');
    heard(bytes.toString('latin1').trimEnd());
  };
  socket.on('readable', look);
}
