/** Who stands where a tool server should: an agent that listens in its place, or between. No cluster is needed. */
import { once } from 'node:events';
import { createSecureServer, createServer } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ask, textOf } from '../http2-ask.ts';
import { pskServer } from '../server/psk.ts';
import { dialPod } from './dial.ts';
import { podKeys } from './names.ts';

const key = Buffer.alloc(32, 7);
const { psk } = podKeys(key, 'lh-one-1');
const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('the tool server of this pod is taken', async () => {
  const port = await listening(createSecureServer(pskServer(psk), (_request, response) => response.end('it is me')));
  const session = await dialPod({ address: '127.0.0.1', psk, port }, 1_000);
  expect(await textOf((await ask(session, { method: 'GET', path: '/' })).stream)).toBe('it is me');
  session.destroy();
});

test('the tool server of another pod, or generation, is refused, and sees no request', async () => {
  let requests = 0;
  const other = podKeys(key, 'lh-one-2').psk;
  const port = await listening(createSecureServer(pskServer(other), () => requests++));
  await expect(dialPod({ address: '127.0.0.1', psk, port }, 1_000)).rejects.toThrow();
  expect(requests).toBe(0);
});

test('one that speaks plainly, hangs up or is silent is an error, not a hang, and learns no token', async () => {
  const seen: Buffer[] = [];
  const servers = [
    createServer(() => undefined),
    createTcpServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello')),
    createTcpServer((socket) => socket.on('data', (chunk) => seen.push(chunk)).on('error', () => undefined)),
  ];
  for (const server of servers) {
    await expect(dialPod({ address: '127.0.0.1', psk, port: await listening(server) }, 1_000)).rejects.toThrow();
  }
  await expect(dialPod({ address: '127.0.0.1', psk, port: 1 }, 1_000)).rejects.toThrow();
  expect(Buffer.concat(seen).toString('latin1')).not.toContain('Bearer');
});
