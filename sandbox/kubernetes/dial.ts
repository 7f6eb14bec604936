/** A connection to a pod's tool server, encrypted with a key that nobody else in the pod knows. */
import type { ClientHttp2Session } from 'node:http2';
import { connect } from 'node:tls';
import { watchedSession } from '../http2-session.ts';
import { pskClient } from '../server/psk.ts';
import { TOOL_PORT } from './names.ts';

/** One attempt, milliseconds. A new pod may have no network for some tenths of a second. */
const CONNECT_MS = 2_000;

/** Rejects when nobody answers there, or somebody else than the tool server. */
export async function dialPod(
  address: string,
  psk: string,
  patienceMs: number,
  port = TOOL_PORT,
): Promise<ClientHttp2Session> {
  const socket = connect({ host: address, port, ...pskClient(psk) });
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`${address}:${port} does not answer.`)), CONNECT_MS);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    socket.once('error', (error) => settle(() => reject(error)));
    socket.once('close', () => settle(() => reject(new Error(`${address}:${port} closed the connection.`))));
    socket.once('secureConnect', () => settle(resolve));
  });
  socket.setNoDelay(true);
  return watchedSession(socket, patienceMs);
}
