/** What stands where a tool server should: an agent that took its port after a crash. No cluster is needed. */
import { once } from 'node:events';
import { createServer, type Http2Server, type IncomingHttpHeaders } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { proofOf } from '../server/listen.ts';
import { dialPod } from './dial.ts';
import { podKeys } from './names.ts';

const key = Buffer.alloc(32, 7);
const { proofKey } = podKeys(key, 'lh-one-1');
const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function serve(proof: (challenge: string) => string | undefined) {
  const seen: IncomingHttpHeaders[] = [];
  const server: Http2Server = createServer((request, response) => {
    seen.push(request.headers);
    const challenge = new URL(request.url, 'http://x').searchParams.get('challenge') ?? '';
    response.end(JSON.stringify({ sessionId: 's', generation: 1, ready: true, proof: proof(challenge) }));
  }).listen(0, '127.0.0.1');
  open.push(server);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, seen };
}

test('the tool server of this pod is taken', async () => {
  const { port } = await serve((challenge) => proofOf(proofKey, challenge));
  const session = await dialPod('127.0.0.1', proofKey, 1_000, port);
  expect(session.closed).toBe(false);
  session.destroy();
});

test.each([
  ['says nothing', () => undefined],
  ['guesses', () => '0'.repeat(64)],
  ['repeats the challenge', (challenge: string) => challenge],
  ['is another pod’s', (challenge: string) => proofOf(podKeys(key, 'lh-one-2').proofKey, challenge)],
])('one that %s is refused, and never sees a token', async (_name, proof) => {
  const { port, seen } = await serve(proof);
  await expect(dialPod('127.0.0.1', proofKey, 1_000, port)).rejects.toThrow('Somebody else');
  expect(seen.map(({ authorization }) => authorization)).toEqual([undefined]);
});

test('one that speaks no HTTP/2, or hangs up, is an error and not a hang', async () => {
  const server = createTcpServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello')).listen(0, '127.0.0.1');
  open.push(server);
  await once(server, 'listening');
  await expect(dialPod('127.0.0.1', proofKey, 1_000, (server.address() as AddressInfo).port)).rejects.toThrow();
  await expect(dialPod('127.0.0.1', proofKey, 1_000, 1)).rejects.toThrow();
});
