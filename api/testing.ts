/** For tests of this room: a served API over a real PostgreSQL and, where sessions are made, a real Temporal. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import pino from 'pino';
import { afterAll, beforeAll, vi } from 'vitest';
import { createSessionClient } from '../client/temporal-session-client.ts';
import { openLocalBlobs } from '../store/blobs/local.ts';
import { createPostgresBus } from '../store/bus-postgres.ts';
import { type Database, migrateDatabase, openDatabase } from '../store/database.ts';
import { ensureApiKey } from '../store/keys.ts';
import { createLogStore } from '../store/log-postgres.ts';
import { createDatabase, startTemporaryPostgres } from '../test/support/postgres.ts';
import { startStack } from '../test/support/stack.ts';
import { DEFAULT_HARNESS, DEFAULT_SESSION_SETTINGS, HANDS_QUEUE } from '../workflows/contract.ts';
import type { ApiDeps, ApiSettings } from './context.ts';
import { type ApiServer, startApi } from './server.ts';
import { createFaults, type Faults, noTemporal } from './testing-faults.ts';
import { TEST_MODELS } from './testing-models.ts';

export const KEY = 'lh-test-key-of-the-first-workspace-0123456789';
export const OTHER_KEY = 'lh-test-key-of-another-workspace-0123456789';
export const BETA = 'managed-agents-2026-04-01';

export interface TestApi {
  deps: ApiDeps;
  database: Database;
  /** What the API asks of Temporal; without it, every such request fails. */
  faults: Faults;
  server: ApiServer;
  url: string;
  /** The official SDK, pointed at the served API. */
  client(options?: ConstructorParameters<typeof Anthropic>[0]): Anthropic;
  /** A plain request with the usual headers; `headers` replace them, null removes one. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string | null>): Promise<Reply>;
  /** Stops this server and serves the same stores again. */
  restart(): Promise<void>;
  /** A second api over the same stores, with connections and a memory of its own, as another process has. */
  another(): Promise<TestApi>;
}

export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  json: any;
}

export interface UseApiOptions {
  /**
   * With Temporal and a brain, without hands. The model answers "Done."; it takes 3 s for what holds the word "slowly",
   * calls bash twice when told to "use bash", and `look_up` when told to "look it up".
   */
  temporal?: boolean;
  settings?: Partial<ApiSettings>;
  health?: ApiDeps['health'];
  log?: ApiDeps['log'];
}

/** Serves an API for the tests of one file. @returns a getter, for use inside tests. */
export function useApi(options: UseApiOptions = {}): () => TestApi {
  let api: TestApi | undefined;
  const undo: (() => Promise<unknown>)[] = [];
  vi.setConfig({ testTimeout: 30_000 });
  beforeAll(async () => {
    const below = options.temporal ? await withTemporal(undo) : await withoutTemporal(undo);
    api = await serveTestApi(below, options, undo);
  }, 300_000);
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  }, 60_000);
  return () => {
    if (!api) throw new Error('The API is served from beforeAll on.');
    return api;
  };
}

type Stores = Pick<ApiDeps, 'database' | 'blobs' | 'bus' | 'sessionClient'>;
/** The stores, and a way to open them once more. */
type Below = Stores & { again(): Stores };

function openStores(
  url: string,
  undo: (() => Promise<unknown>)[],
  rest: Pick<Stores, 'blobs' | 'sessionClient'>,
): Stores {
  const database = openDatabase(url);
  undo.push(() => database.close());
  const bus = createPostgresBus(url, database.pool, () => undefined);
  undo.push(() => bus.close());
  return { ...rest, database, bus };
}

async function withTemporal(undo: (() => Promise<unknown>)[]): Promise<Below> {
  const turns = [
    { when: 'slowly', steps: [{ pace: { first_token_ms: 3000 }, text: 'Slow.' }] },
    {
      when: 'use bash',
      steps: [{ tools: [{ bash: { command: 'ls' } }, { bash: { command: 'pwd' } }] }, { text: 'Done.' }],
    },
    { when: 'look it up', steps: [{ tools: [{ look_up: { q: 1 } }] }, { text: 'Thanks.' }] },
  ];
  const stack = await startStack({ script: { rehearsal: 'Routes', turns, fallback: { text: 'Done.' } } });
  undo.push(() => stack.stop());
  const { blobs, databaseUrl } = stack;
  const again = () =>
    openStores(databaseUrl, undo, { blobs, sessionClient: createSessionClient(stack.temporalClient) });
  return { ...again(), again };
}

async function withoutTemporal(undo: (() => Promise<unknown>)[]): Promise<Below> {
  const postgres = await startTemporaryPostgres();
  undo.push(() => postgres.remove());
  const url = await createDatabase(postgres.url);
  await migrateDatabase(url);
  const home = await mkdtemp(join(tmpdir(), 'longhand-api-'));
  undo.push(() => rm(home, { recursive: true, force: true }));
  const blobs = await openLocalBlobs(home);
  const again = () => openStores(url, undo, { blobs, sessionClient: noTemporal() });
  return { ...again(), again };
}

async function serveTestApi(
  { again, ...stores }: Below,
  options: UseApiOptions,
  undo: (() => Promise<unknown>)[],
): Promise<TestApi> {
  const { database } = stores;
  const now = new Date();
  await ensureApiKey(database.orm, KEY, { id: 'apikey_1', workspaceId: 'wrkspc_1', name: 'test', now });
  await ensureApiKey(database.orm, OTHER_KEY, { id: 'apikey_2', workspaceId: 'wrkspc_2', name: 'other', now });
  const faults = createFaults(stores.sessionClient);
  const deps: ApiDeps = {
    ...stores,
    logStore: createLogStore(database.pool),
    sessionClient: faults.client,
    models: TEST_MODELS,
    settings: {
      allowedOrigins: [],
      allowedHosts: [],
      session: DEFAULT_SESSION_SETTINGS,
      handsQueue: HANDS_QUEUE,
      harness: DEFAULT_HARNESS,
      ...options.settings,
    },
    health: options.health ?? (async () => ({ database: { ok: true } })),
    log: options.log ?? pino({ level: 'silent' }),
    now: Date.now,
    random: Math.random,
  };
  const serve = () => startApi(deps, { host: '127.0.0.1', port: 0 });
  const server = await serve();
  const api: TestApi = {
    deps,
    database,
    faults,
    server,
    url: server.url,
    client: (more) => new Anthropic({ apiKey: null, authToken: KEY, baseURL: api.url, maxRetries: 0, ...more }),
    send: (method, path, body, headers) => send(api.url, method, path, body, headers),
    async restart() {
      await api.server.close();
      api.server = await serve();
      api.url = api.server.url;
    },
    another: () => serveTestApi({ ...again(), again }, options, undo),
  };
  undo.push(() => api.server.close());
  return api;
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
