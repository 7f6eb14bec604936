/** Large answers and bodies over a connection of their own: whole, or an error. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { askAlone } from './http1-ask.ts';
import { ConnectionLostError, RefusedError } from './http2-ask.ts';

let server: Server;
afterEach(() => server.close().closeAllConnections());

async function serve(listener: RequestListener) {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return () => connect(port, '127.0.0.1');
}

test('a body of many megabytes and an answer as large come through as they are', async () => {
  const dial = await serve((request, response) => request.pipe(response));
  const sent = Buffer.alloc(5 * 1024 ** 2, 'some of it ');
  const chunks = Readable.from([sent.subarray(0, 100), sent.subarray(100)]);
  const { status, body } = await askAlone(dial(), { method: 'PUT', path: '/', body: chunks });
  expect(status).toBe(200);
  expect((await buffer(body)).equals(sent)).toBe(true);
});

test.each([
  ['of a length that was announced', { 'content-length': '1000' }],
  ['in chunks', {}],
])('an answer %s that is cut off ends with an error', async (_how, headers) => {
  const dial = await serve((_request, response) => {
    response.writeHead(200, headers);
    response.write('some');
    setTimeout(() => response.destroy(), 50);
  });
  const { body } = await askAlone(dial(), { method: 'GET', path: '/' });
  await expect(buffer(body)).rejects.toThrow(ConnectionLostError);
});

test('no answer is a lost connection', async () => {
  const dial = await serve((request) => request.destroy());
  await expect(askAlone(dial(), { method: 'GET', path: '/' })).rejects.toThrow(ConnectionLostError);
});

test('a refusal says why, also while the body is still being sent', async () => {
  const dial = await serve((_request, response) => {
    response.statusCode = 409;
    response.end(JSON.stringify({ error: 'It is there already.' }));
  });
  const endless = new PassThrough();
  const timer = setInterval(() => endless.write(Buffer.alloc(64 * 1024)), 5);
  const asked = askAlone(dial(), { method: 'PUT', path: '/', body: endless });
  await expect(asked).rejects.toThrow(new RefusedError(409, 'It is there already.'));
  await expect(asked).rejects.toBeInstanceOf(RefusedError);
  if (!endless.destroyed) await once(endless, 'close');
  clearInterval(timer);
});

test('a body that has failed before it is sent is an error, not a wait', async () => {
  const dial = await serve((request, response) => request.resume().on('end', () => response.end()));
  const body = Readable.from(['some']);
  body.on('error', () => undefined).destroy(new Error('The hash is another.'));
  await new Promise((resolve) => body.once('close', resolve));
  await expect(askAlone(dial(), { method: 'PUT', path: '/', body })).rejects.toThrow('The hash is another.');
});

test('a body that fails is never whole for the other side, and its reason is told', async () => {
  const ends: string[] = [];
  const dial = await serve((request) => {
    request.on('error', () => ends.push('cut')).on('end', () => ends.push('whole'));
    request.resume();
  });
  const body = Readable.from(
    (async function* () {
      yield Buffer.from('half');
      await sleep(100);
      throw new Error('The store is away.');
    })(),
  );
  await expect(askAlone(dial(), { method: 'PUT', path: '/', body })).rejects.toThrow('The store is away.');
  await expect.poll(() => ends).toEqual(['cut']);
});
