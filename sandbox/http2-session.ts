/** The client's end of an HTTP/2 connection to a sandbox: it ends when the other side stops answering pings. */
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Socket } from 'node:net';
import { WINDOW_BYTES } from './server/dial.ts';

/** Pings within the time that an answer may take; idle sandboxes should cost nothing. */
const PINGS = 5;

/** Speaks over a socket that is connected. Without a pong for `patienceMs` it ends. */
export function watchedSession(socket: Socket, patienceMs: number): ClientHttp2Session {
  const session = connect('http://sandbox', {
    createConnection: () => socket,
    settings: { initialWindowSize: WINDOW_BYTES },
  });
  session.once('connect', () => {
    // `connect` is told a moment late, too.
    if (!session.destroyed) session.setLocalWindowSize(WINDOW_BYTES);
  });
  session.on('error', () => undefined);
  socket.on('error', () => undefined);
  let lastPong = Date.now();
  const timer = setInterval(() => {
    // `close` comes later, and a ping would throw.
    if (session.destroyed) return clearInterval(timer);
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
