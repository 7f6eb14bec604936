/** The door between a pod's two containers: one connection that stays, others only as asked for. */
import { once } from 'node:events';
import { createServer as createHttp1Server } from 'node:http';
import { createServer } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askAlone } from '../http1-ask.ts';
import { openShellDoor, type ShellDoor } from './shell-door.ts';

let port: number;
let door: ShellDoor;
let control: Socket;
/** What else happens when the agent's side is asked to dial. */
let whenAsked: (word: string) => void;
const sockets: Socket[] = [];

beforeEach(async () => {
  const free = createTcpServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  ({ port } = free.address() as AddressInfo);
  free.close();
  whenAsked = answerWith;
  door = openShellDoor(port, async () => undefined);
  const agent = createServer((request, response) => {
    whenAsked(new URL(request.url, 'http://agent').searchParams.get('word') ?? '');
    response.end('{}');
  });
  control = await dial();
  agent.emit('connection', control);
  await door.connection(2_000);
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  door.close();
});

async function dial(): Promise<Socket> {
  for (;;) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    sockets.push(socket);
    const [connected] = await Promise.race([
      once(socket, 'connect').then(() => [true]),
      once(socket, 'close').then(() => [false]),
    ]);
    if (connected) return socket;
  }
}

/** As the agent's side does it. */
function answerWith(word: string): void {
  const answers = createHttp1Server((_request, response) => response.end('all of it'));
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  sockets.push(socket);
  socket.write(`${word}\n`);
  answers.emit('connection', socket);
}

test('a connection beside the first, for one question', async () => {
  const { body } = await askAlone(await door.another(2_000), { method: 'GET', path: '/' });
  expect(await text(body)).toBe('all of it');
});

test('who dials without being asked is turned away at once', async () => {
  const intruder = await dial();
  await once(intruder, 'close');
  expect(control.destroyed).toBe(false);
});

test('who does not know the word is turned away, and the one who does still comes', async () => {
  const intruders: Promise<unknown>[] = [];
  whenAsked = (word) => {
    const knock = async (words: string) => {
      const socket = await dial();
      socket.write(words);
      await once(socket, 'close');
    };
    const guessing = knock(`${word.replaceAll(/./g, '0')}\n`);
    intruders.push(guessing, knock('GET / HTTP/1.1\r\nhost: here-and-now\r\n\r\n'));
    // Says nothing at all, and is in nobody's way.
    intruders.push(dial());
    answerWith(word);
  };
  const { body } = await askAlone(await door.another(2_000), { method: 'GET', path: '/' });
  expect(await text(body)).toBe('all of it');
  await Promise.all(intruders);
});

test('a word is good for one connection', async () => {
  let said = '';
  whenAsked = (word) => {
    said = word;
    answerWith(word);
  };
  await door.another(2_000);
  const again = await dial();
  again.write(`${said}\n`);
  await once(again, 'close');
});

test('ends with the first connection, also before it has come', async () => {
  const beside = await door.another(2_000);
  whenAsked = () => undefined;
  const never = door.another(2_000);
  await new Promise((resolve) => setTimeout(resolve, 100));
  control.destroy();
  await expect(never).rejects.toThrow(/shell of the sandbox|connection/i);
  if (!beside.destroyed) await once(beside, 'close');
});
