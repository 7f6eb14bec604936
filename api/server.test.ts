/** The server's own life. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { useApi } from './testing.ts';

const api = useApi();

test('a stop does not wait for connections that nothing has come on, and answers what has begun to come', async () => {
  const port = Number(new URL(api().url).port);
  const unused = connect(port, '127.0.0.1');
  const halfWay = connect(port, '127.0.0.1');
  await Promise.all([once(unused, 'connect'), once(halfWay, 'connect')]);
  halfWay.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n');
  // The server has to have seen both.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const began = Date.now();
  const restarted = api().restart();
  const ended = once(unused, 'close');
  unused.resume();
  await ended;
  let answer = '';
  halfWay.on('data', (chunk) => {
    answer += chunk;
  });
  halfWay.write('Connection: close\r\n\r\n');
  await once(halfWay, 'close');
  await restarted;
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  // 15 s is what requests under way are given.
  expect(Date.now() - began).toBeLessThan(10_000);
});
