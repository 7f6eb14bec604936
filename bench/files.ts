/**
 * `node bench/files.ts [--json]`: uploads and downloads of 200 MB, beside a plain copy over node:http in the same run;
 * each server is a process of its own, so that its memory can be seen.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { migrateDatabase } from '../store/database.ts';
import { newApiKey } from '../store/keys.ts';
import { createDatabase, startTemporaryPostgres } from '../test/support/postgres.ts';
import { type Figure, figure, table } from './figures.ts';

const BYTES = 200_000_000;
const ROUNDS = 5;
const CHUNK = Buffer.alloc(256 * 1024, 'longhand ');
const HEAD = Buffer.from('--b\r\ncontent-disposition: form-data; name="file"; filename="big.bin"\r\n\r\n');
const TAIL = Buffer.from('\r\n--b--\r\n');

const postgres = await startTemporaryPostgres();
const databaseUrl = await createDatabase(postgres.url);
await migrateDatabase(databaseUrl);
const key = newApiKey();
const headers = { authorization: `Bearer ${key}`, 'anthropic-version': '2026-10-21' };
const figures: Figure[] = [];
try {
  const plain = await measure('plain', async () => '/');
  const ours = await measure('api', async (answer) => `/v1/files/${(JSON.parse(answer) as { id: string }).id}/content`);
  for (const [name, of] of [
    ['node:http copy', plain],
    ['files API', ours],
  ] as const) {
    figures.push(figure(`${name}: upload`, of.up, [], 'MB/s'), figure(`${name}: download`, of.down, [], 'MB/s'));
    figures.push(figure(`${name}: peak memory above idle`, [of.grown], [], 'MB'));
  }
  if (process.argv.includes('--json')) console.log(JSON.stringify(figures, null, 2));
  else console.log(table(figures));
} finally {
  await postgres.remove();
}

/** @param pathOf - from the answer to an upload: where the bytes are now. */
async function measure(kind: string, pathOf: (answer: string) => Promise<string>) {
  const program = fileURLToPath(new URL('./files-server.ts', import.meta.url));
  const child = fork(program, [kind, databaseUrl, key], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const { url } = await answerOf<{ url: string }>(child);
  await down(url, await pathOf(await up(url)));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const idle = await ask(child, 'rest');
  const result = { up: [] as number[], down: [] as number[], grown: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    let path = '';
    result.up.push(await rate(async () => (path = await pathOf(await up(url)))));
    result.down.push(await rate(() => down(url, path)));
  }
  result.grown = ((await ask(child, 'peak')).peak - idle.rss) / 1e6;
  child.send('stop');
  await once(child, 'exit');
  return result;
}

async function rate(act: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await act();
  return BYTES / 1e3 / (performance.now() - from);
}

async function up(url: string): Promise<string> {
  const length = HEAD.length + BYTES + TAIL.length;
  const sending = request(`${url}/v1/files`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'multipart/form-data; boundary=b', 'content-length': length },
  });
  const answered = once(sending, 'response');
  sending.write(HEAD);
  for (let sent = 0; sent < BYTES; ) {
    const chunk = CHUNK.subarray(0, Math.min(CHUNK.length, BYTES - sent));
    sent += chunk.length;
    if (!sending.write(chunk)) await once(sending, 'drain');
  }
  sending.end(TAIL);
  const [response] = (await answered) as [import('node:http').IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  if (response.statusCode !== 200) throw new Error(text);
  return text;
}

async function down(url: string, path: string): Promise<void> {
  const asking = request(`${url}${path}`, { headers });
  asking.end();
  const [response] = (await once(asking, 'response')) as [import('node:http').IncomingMessage];
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  if (bytes < BYTES) throw new Error(`Only ${bytes} bytes came back, status ${response.statusCode}.`);
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const [answer] = (await once(child, 'message')) as [T];
  return answer;
}

async function ask(child: ChildProcess, word: string): Promise<{ rss: number; peak: number }> {
  const answer = answerOf<{ rss: number; peak: number }>(child);
  child.send(word);
  return await answer;
}
