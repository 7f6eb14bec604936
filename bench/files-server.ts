/** For the benchmark of files: the API alone over a real PostgreSQL, or a plain copy over node:http, as a process. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pino } from 'pino';
import { startApi } from '../api/index.ts';
import { openLocalBlobs } from '../store/blobs/local.ts';
import { createPostgresBus } from '../store/bus-postgres.ts';
import { openDatabase } from '../store/database.ts';
import { ensureApiKey } from '../store/keys.ts';
import { createLogStore } from '../store/log-postgres.ts';
import { loadModels } from '../workers/models-file.ts';
import { DEFAULT_HARNESS, DEFAULT_SESSION_SETTINGS, HANDS_QUEUE } from '../workflows/contract.ts';

const [kind, databaseUrl = '', key = ''] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'longhand-bench-'));
const url = kind === 'plain' ? await plainCopy() : await api();
process.send?.({ url });

let peak = 0;
const look = () => {
  peak = Math.max(peak, process.memoryUsage.rss());
};
setInterval(look, 20).unref();
process.on('message', (word) => {
  if (word === 'rest') peak = 0;
  look();
  if (word === 'stop') rm(folder, { recursive: true, force: true }).finally(() => process.exit(0));
  else process.send?.({ rss: process.memoryUsage.rss(), peak });
});

/** What the machine can do: the body to a file and back, and nothing else. */
async function plainCopy(): Promise<string> {
  const file = join(folder, 'file');
  const server = createServer((request, response) => {
    const work =
      request.method === 'POST'
        ? pipeline(request, createWriteStream(file)).then(() => response.end('{}'))
        : pipeline(createReadStream(file), response);
    work.catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function api(): Promise<string> {
  const database = openDatabase(databaseUrl);
  await ensureApiKey(database.orm, key, { id: 'apikey_1', workspaceId: 'wrkspc_1', name: 'bench', now: new Date() });
  const away = () => Promise.reject(new Error('There is no Temporal in this benchmark.'));
  const server = await startApi(
    {
      database,
      logStore: createLogStore(database.pool),
      sessionClient: { start: away, startAgain: away, lookUp: away, post: away, erase: away, isOpen: away },
      bus: createPostgresBus(databaseUrl, database.pool, () => undefined),
      blobs: await openLocalBlobs(folder),
      models: await loadModels(),
      settings: {
        allowedOrigins: [],
        allowedHosts: [],
        session: DEFAULT_SESSION_SETTINGS,
        handsQueue: HANDS_QUEUE,
        harness: DEFAULT_HARNESS,
        files: { downloadUploads: true },
      },
      health: async () => ({}),
      log: pino({ level: 'silent' }),
      now: Date.now,
      random: Math.random,
    },
    { host: '127.0.0.1', port: 0 },
  );
  return server.url;
}
