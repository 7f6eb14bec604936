/** What the api is given: its connections to the database, to Temporal and to the blobs, and its settings. */
import { randomBytes } from 'node:crypto';
import { Client } from '@temporalio/client';
import { type Logger, pino } from 'pino';
import type { ApiDeps, PartHealth } from '../api/context.ts';
import { createSessionClient } from '../client/temporal-session-client.ts';
import { openLocalBlobs } from '../store/blobs/local.ts';
import { createPostgresBus } from '../store/bus-postgres.ts';
import { openDatabase } from '../store/database.ts';
import { createLogStore } from '../store/log-postgres.ts';
import {
  DEFAULT_HARNESS,
  DEFAULT_OUTPUT_LIMITS,
  DEFAULT_SESSION_SETTINGS,
  HANDS_QUEUE,
} from '../workflows/contract.ts';
import type { HomeLayout } from './data-folder.ts';
import { checkHealth } from './health.ts';
import { loadModels } from './models-file.ts';
import type { Settings } from './settings.ts';
import { connectTemporal } from './temporal-connection.ts';
import { payloadConverterPath } from './workflow-bundle.ts';

export interface ApiPartsOptions {
  settings: Settings;
  layout: HomeLayout;
  databaseUrl: string;
  temporal: { address: string; namespace: string };
  log: Logger;
  /** Parts that the caller knows to be down (a child that is being restarted); laid over what is asked. */
  knownProblems(): Record<string, PartHealth>;
}

export interface ApiParts {
  deps: ApiDeps;
  close(): Promise<void>;
}

/** Opens the connections. They survive restarts of what they lead to. */
export async function openApiParts(options: ApiPartsOptions): Promise<ApiParts> {
  const { settings, layout, databaseUrl, temporal, log } = options;
  const models = await loadModels(settings.LONGHAND_MODELS);
  const onError = (error: Error) => log.warn({ err: error }, 'database connection');
  const database = openDatabase(databaseUrl, { connections: 20, onError });
  const bus = createPostgresBus(databaseUrl, database.pool, onError);
  const connection = await connectTemporal(temporal.address);
  const client = new Client({ connection, namespace: temporal.namespace, dataConverter: { payloadConverterPath } });
  const health = { connection, namespace: temporal.namespace, pool: database.pool, handsFolder: layout.hands };
  const deps: ApiDeps = {
    database,
    logStore: createLogStore(database.pool),
    sessionClient: createSessionClient(client),
    bus,
    blobs: await openLocalBlobs(layout.blobs),
    models,
    settings: {
      allowedOrigins: settings.LONGHAND_ALLOWED_ORIGINS,
      allowedHosts: settings.LONGHAND_ALLOWED_HOSTS,
      explicitKey: settings.LONGHAND_API_KEY,
      session: {
        ...DEFAULT_SESSION_SETTINGS,
        callMaxMs: settings.LONGHAND_TOOL_TIMEOUT_MAX,
        sandboxIdleMs: settings.LONGHAND_SANDBOX_IDLE,
        outputs: DEFAULT_OUTPUT_LIMITS,
      },
      handsQueue: HANDS_QUEUE,
      harness: DEFAULT_HARNESS,
      files: {
        quotaBytes: settings.LONGHAND_FILES_QUOTA,
        downloadUploads: settings.LONGHAND_DOWNLOAD_UPLOADS,
        ...(settings.LONGHAND_SKILLS_DIR ? { skillsDir: settings.LONGHAND_SKILLS_DIR } : {}),
      },
    },
    health: async () => ({ ...(await checkHealth(health)), ...options.knownProblems() }),
    log,
    now: Date.now,
    random: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  };
  const close = async () => {
    await bus.close();
    await database.close();
    await connection.close();
  };
  return { deps, close };
}

/** One line of JSON per event on stderr: warnings and errors, never bodies or keys. */
export function apiLog(): Logger {
  return pino({ level: 'warn' }, process.stderr);
}
