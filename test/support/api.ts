/** The api over a test stack, in this process, with an official SDK client for it. */
import { randomBytes } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';
import { pino } from 'pino';
import { type ApiDeps, type ApiServer, type ApiSettings, startApi } from '../../api/index.ts';
import { createPostgresBus } from '../../store/bus-postgres.ts';
import { DEFAULT_WORKSPACE, ensureApiKey, newApiKey } from '../../store/keys.ts';
import { loadModels } from '../../workers/models-file.ts';
import {
  DEFAULT_HARNESS,
  DEFAULT_OUTPUT_LIMITS,
  DEFAULT_SESSION_SETTINGS,
  HANDS_QUEUE,
  type SessionSettings,
} from '../../workflows/contract.ts';
import type { Stack } from './stack.ts';

export interface TestApi {
  server: ApiServer;
  url: string;
  key: string;
  client: Anthropic;
  deps: ApiDeps;
  stop(): Promise<void>;
}

export async function startTestApi(
  stack: Stack,
  options: { session?: Partial<SessionSettings>; settings?: Partial<ApiSettings> } = {},
): Promise<TestApi> {
  const key = newApiKey();
  await ensureApiKey(stack.database.orm, key, {
    id: `apikey_${randomBytes(6).toString('hex')}`,
    workspaceId: DEFAULT_WORKSPACE,
    name: 'test',
    now: new Date(),
  });
  const bus = createPostgresBus(stack.databaseUrl, stack.database.pool, () => undefined);
  const deps: ApiDeps = {
    database: stack.database,
    logStore: stack.log,
    sessionClient: stack.sessions,
    bus,
    blobs: stack.blobs,
    models: await loadModels(),
    settings: {
      allowedOrigins: [],
      allowedHosts: [],
      session: { ...DEFAULT_SESSION_SETTINGS, outputs: DEFAULT_OUTPUT_LIMITS, ...options.session },
      handsQueue: HANDS_QUEUE,
      harness: DEFAULT_HARNESS,
      ...options.settings,
    },
    health: async () => ({}),
    log: pino({ level: process.env.LONGHAND_TEST_LOGS ? 'debug' : 'silent' }),
    now: Date.now,
    random: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  };
  const server = await startApi(deps, { host: '127.0.0.1', port: 0 });
  return {
    server,
    url: server.url,
    key,
    client: new Anthropic({ baseURL: server.url, apiKey: key }),
    deps,
    async stop() {
      await server.close();
      await bus.close();
    },
  };
}
