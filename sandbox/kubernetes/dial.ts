/** A connection to a pod's tool server, which has proved that it is the one before it is shown a token. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { ask, textOf } from '../http2-ask.ts';
import { watchedSession } from '../http2-session.ts';
import { proofOf } from '../server/listen.ts';
import type { Health } from '../server/protocol.ts';
import { TOOL_PORT } from './names.ts';

/** One attempt, milliseconds. A new pod may have no network for some tenths of a second. */
const CONNECT_MS = 1_000;
const PROVE_MS = 5_000;
const MAX_HEALTH_BYTES = 16 * 1024;

/** Rejects when nobody answers there, or somebody else. */
export async function dialPod(address: string, proofKey: string, patienceMs: number): Promise<ClientHttp2Session> {
  const session = watchedSession(await open(address), patienceMs);
  try {
    const challenge = randomBytes(16).toString('hex');
    const question = { method: 'GET', path: `/health?challenge=${challenge}`, signal: AbortSignal.timeout(PROVE_MS) };
    const { stream } = await ask(session, question);
    const { proof } = JSON.parse(await textOf(stream, MAX_HEALTH_BYTES)) as Health;
    const expected = Buffer.from(proofOf(proofKey, challenge));
    const given = Buffer.from(proof ?? '');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new Error(`Somebody else than the sandbox's tool server answers at ${address}:${TOOL_PORT}.`);
    }
    return session;
  } catch (error) {
    session.destroy();
    throw error;
  }
}

function open(host: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: TOOL_PORT, noDelay: true });
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error(`${host}:${TOOL_PORT} does not answer.`)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
