/**
 * The API as a process of its own, for tests that kill it. Prints its URL. With `PAUSE_AFTER_POST` it stops short right
 * after Temporal has accepted a start or a post, before anything is answered, and prints `paused`. `SESSION` holds settings
 * of sessions (JSON) that the real api does not let one change.
 */
import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import pino from 'pino';
import type { SessionClient } from '../client/session.ts';
import { createSessionClient } from '../client/temporal-session-client.ts';
import { openLocalBlobs } from '../store/blobs/local.ts';
import { createPostgresBus } from '../store/bus-postgres.ts';
import { openDatabase } from '../store/database.ts';
import { createLogStore } from '../store/log-postgres.ts';
import { DEFAULT_HARNESS, DEFAULT_SESSION_SETTINGS, HANDS_QUEUE, type SessionSettings } from '../workflows/contract.ts';
import { startApi } from './server.ts';
import { TEST_MODELS } from './testing-models.ts';

const { DATABASE_URL = '', TEMPORAL_ADDRESS = '', BLOBS = '', PORT = '0', PAUSE_AFTER_POST, SESSION } = process.env;

async function pause<T>(work: Promise<T>): Promise<T> {
  const result = await work;
  if (!PAUSE_AFTER_POST) return result;
  console.log('paused');
  return await new Promise<never>(() => undefined);
}

const database = openDatabase(DATABASE_URL);
const temporal = new Client({ connection: await Connection.connect({ address: TEMPORAL_ADDRESS }) });
const client = createSessionClient(temporal);
const sessionClient: SessionClient = {
  ...client,
  start: (input) => pause(client.start(input)),
  post: (sessionId, requestId, op) => pause(client.post(sessionId, requestId, op)),
};
const server = await startApi(
  {
    database,
    logStore: createLogStore(database.pool),
    sessionClient,
    bus: createPostgresBus(DATABASE_URL, database.pool, () => undefined),
    blobs: await openLocalBlobs(BLOBS),
    models: TEST_MODELS,
    settings: {
      allowedOrigins: [],
      allowedHosts: [],
      session: { ...DEFAULT_SESSION_SETTINGS, ...(JSON.parse(SESSION ?? '{}') as Partial<SessionSettings>) },
      handsQueue: HANDS_QUEUE,
      harness: DEFAULT_HARNESS,
    },
    health: async () => ({}),
    log: pino({ level: 'silent' }),
    now: Date.now,
    random: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  },
  { host: '127.0.0.1', port: Number(PORT) },
);
console.log(server.url);
