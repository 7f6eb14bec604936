/** A connection to a pod's tool server, encrypted with a key that nobody else in the pod knows. */
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { watchedSession } from '../http2-session.ts';
import { pskClient, type Speech } from '../server/psk.ts';
import { TOOL_PORT } from './names.ts';

/** The handshake, milliseconds. */
const HANDSHAKE_MS = 2_000;
/**
 * The connection before it, at first and at most, milliseconds. A new pod may have no network for some tenths of a second, and
 * what is sent to it then is sent again only after a whole one: it is quicker to begin anew.
 */
export const FIRST_CONNECT_MS = 100;
export const LONGEST_CONNECT_MS = 2_000;

interface Place {
  address: string;
  psk: string;
  port?: number;
  /** Time for the connection itself. */
  connectMs?: number;
}

/** Rejects when nobody answers there, or somebody else than the tool server. */
export async function dialPod(place: Place, patienceMs: number): Promise<ClientHttp2Session> {
  return watchedSession(await connectPod(place, 'h2'), patienceMs);
}

/** As {@link dialPod}, a connection that speaks as it is asked to. */
export async function connectPod(
  { address, psk, port = TOOL_PORT, connectMs = LONGEST_CONNECT_MS }: Place,
  speech: Speech,
): Promise<TLSSocket> {
  const place = `${address}:${port}`;
  const plain = connectPlain({ host: address, port });
  await settled(plain, 'connect', connectMs, place);
  plain.setNoDelay(true);
  const socket = connect({ socket: plain, ...pskClient(psk, speech) });
  await settled(socket, 'secureConnect', HANDSHAKE_MS, place);
  return socket;
}

async function settled(socket: Socket, event: string, ms: number, place: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`${place} does not answer.`)), ms);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    socket.once('error', (error) => settle(() => reject(error)));
    socket.once('close', () => settle(() => reject(new Error(`${place} closed the connection.`))));
    socket.once(event, () => settle(resolve));
  });
}
