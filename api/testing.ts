/** For tests of this room: a served API over a real PostgreSQL, and a small stand-in for Temporal. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import pino from 'pino';
import { afterAll, beforeAll } from 'vitest';
import type { ModelSpec } from '../harness/model-spec.ts';
import { openLocalBlobs } from '../store/blobs/local.ts';
import { createPostgresBus } from '../store/bus-postgres.ts';
import { type Database, migrateDatabase, openDatabase } from '../store/database.ts';
import { ensureApiKey } from '../store/keys.ts';
import { createLogStore } from '../store/log-postgres.ts';
import { usePostgres } from '../test/support/postgres.ts';
import { DEFAULT_HARNESS, DEFAULT_SESSION_SETTINGS, HANDS_QUEUE } from '../workflows/contract.ts';
import type { ApiDeps } from './context.ts';
import { type ApiServer, startApi } from './server.ts';
import { createStandIn, type StandIn } from './testing-session-client.ts';

export const KEY = 'lh-test-key-of-the-first-workspace-0123456789';
export const OTHER_KEY = 'lh-test-key-of-another-workspace-0123456789';
export const BETA = 'managed-agents-2026-04-01';

const spec = (id: string, more: Partial<ModelSpec> = {}): ModelSpec => ({
  id,
  upstream: id,
  window: 200_000,
  maxOutput: 64_000,
  efforts: ['high', 'low', 'medium', 'max'],
  thinking: 'adaptive',
  fast: false,
  systemMessages: false,
  ...more,
});
const KNOWN = [
  spec('claude-opus-5-5', { fast: true, systemMessages: true, efforts: ['high', 'low', 'medium', 'xhigh', 'max'] }),
  spec('claude-sonnet-5-5'),
  spec('claude-haiku-4-5', { efforts: [] }),
];

export interface TestApi {
  deps: ApiDeps;
  database: Database;
  sessions: StandIn;
  server: ApiServer;
  url: string;
  /** The official SDK, pointed at the served API. */
  client(options?: ConstructorParameters<typeof Anthropic>[0]): Anthropic;
  /** A plain request with the usual headers; `headers` replace them, null removes one. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string | null>): Promise<Reply>;
  /** Stops this server and serves the same stores again, as after a crash. */
  restart(): Promise<void>;
}

export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  json: any;
}

/** Serves an API for the tests of one file. @returns a getter, for use inside tests. */
export function useApi(change: (deps: ApiDeps) => ApiDeps = (deps) => deps): () => TestApi {
  const postgres = usePostgres();
  let api: TestApi | undefined;
  let clear: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    const url = await postgres.createDatabase();
    await migrateDatabase(url);
    const database = openDatabase(url);
    const home = await mkdtemp(join(tmpdir(), 'longhand-api-'));
    const blobs = await openLocalBlobs(join(home, 'blobs'));
    const bus = createPostgresBus(url, database.pool, () => undefined);
    const logStore = createLogStore(database.pool);
    const sessions = createStandIn(logStore);
    const now = new Date();
    await ensureApiKey(database.orm, KEY, { id: 'apikey_1', workspaceId: 'wrkspc_1', name: 'test', now });
    await ensureApiKey(database.orm, OTHER_KEY, { id: 'apikey_2', workspaceId: 'wrkspc_2', name: 'other', now });
    const deps = change({
      database,
      logStore,
      sessionClient: sessions.client,
      bus,
      blobs,
      models: { known: () => KNOWN, find: (id) => KNOWN.find((one) => one.id === id) ?? spec(id) },
      settings: {
        allowedOrigins: [],
        allowedHosts: [],
        session: DEFAULT_SESSION_SETTINGS,
        handsQueue: HANDS_QUEUE,
        harness: DEFAULT_HARNESS,
        streams: { lookMs: 200 },
      },
      health: async () => ({ database: { ok: true } }),
      log: pino({ level: 'silent' }),
      now: Date.now,
      random: Math.random,
    });
    const serve = () => startApi(deps, { host: '127.0.0.1', port: 0 });
    const server = await serve();
    const made: TestApi = {
      deps,
      database,
      sessions,
      server,
      url: server.url,
      client: (options) =>
        new Anthropic({ apiKey: null, authToken: KEY, baseURL: made.url, maxRetries: 0, ...options }),
      send: (method, path, body, headers) => send(made.url, method, path, body, headers),
      async restart() {
        await made.server.close();
        made.server = await serve();
        made.url = made.server.url;
      },
    };
    api = made;
    clear = async () => {
      await made.server.close();
      await bus.close();
      await database.close();
      await rm(home, { recursive: true, force: true });
    };
  }, 60_000);
  afterAll(async () => {
    await clear?.();
  }, 60_000);
  return () => {
    if (!api) throw new Error('The API is served from beforeAll on.');
    return api;
  };
}

async function send(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string | null> = {},
): Promise<Reply> {
  const usual = {
    authorization: `Bearer ${KEY}`,
    'anthropic-version': '2026-10-21',
    'anthropic-beta': BETA,
    'content-type': 'application/json',
  };
  const all = Object.entries({ ...usual, ...headers }).filter((pair): pair is [string, string] => pair[1] !== null);
  const response = await fetch(new URL(path, url), {
    method,
    headers: Object.fromEntries(all),
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: text === '' ? undefined : JSON.parse(text) };
}

/** An agent with every built-in tool and an environment, for tests that need a session. */
export async function makeParts(api: TestApi): Promise<{ agent: string; environment: string }> {
  const agent = await api.send('POST', '/v1/agents', {
    name: 'tester',
    model: 'claude-opus-5-5',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await api.send('POST', '/v1/environments', { name: 'plain' });
  return { agent: agent.json.id, environment: environment.json.id };
}

export async function makeSession(api: TestApi, more: object = {}): Promise<string> {
  const { agent, environment } = await makeParts(api);
  const reply = await api.send('POST', '/v1/sessions', { agent, environment_id: environment, ...more });
  if (reply.status !== 200) throw new Error(`No session: ${JSON.stringify(reply.json)}`);
  return reply.json.id;
}

export const message = (text: string) => ({ type: 'user.message', content: [{ type: 'text', text }] });
