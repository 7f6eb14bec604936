/** What the api is given: its connections to the database, to Temporal and to the blobs, and its settings. */
import { randomBytes } from 'node:crypto';
import { Client } from '@temporalio/client';
import { type Logger, pino } from 'pino';
import type { ApiDeps, PartHealth } from '../api/context.ts';
import { createSessionClient } from '../client/temporal-session-client.ts';
import { openBlobs } from '../store/blobs/open.ts';
import { createPostgresBus } from '../store/bus-postgres.ts';
import { openDatabase } from '../store/database.ts';
import { createLogStore } from '../store/log-postgres.ts';
import { checkHealth } from './health.ts';
import { loadModels } from './models-file.ts';
import { sessionDefaults } from './session-defaults.ts';
import type { Settings } from './settings.ts';
import { loadTargets } from './targets-file.ts';
import { connectTemporal, type TemporalTarget } from './temporal-connection.ts';
import { payloadConverterPath } from './workflow-bundle.ts';

export interface ApiPartsOptions {
  settings: Settings;
  blobUrl: string;
  databaseUrl: string;
  temporal: TemporalTarget;
  log: Logger;
  /** Where a hands worker of this machine reports. Absent: that one polls is the sign; without isolation none does. */
  handsFolder?: string;
  /** Parts that the caller knows to be down (a child that is being restarted); laid over what is asked. */
  knownProblems?(): Record<string, PartHealth>;
}

export interface ApiParts {
  deps: ApiDeps;
  close(): Promise<void>;
}

/** Opens the connections. They survive restarts of what they lead to. */
export async function openApiParts(options: ApiPartsOptions): Promise<ApiParts> {
  const { settings, blobUrl, databaseUrl, temporal, log, handsFolder } = options;
  const models = await loadModels(settings.LONGHAND_MODELS);
  const defaults = sessionDefaults(settings, await loadTargets(settings.LONGHAND_TARGETS));
  const onError = (error: Error) => log.warn({ err: error }, 'database connection');
  const database = openDatabase(databaseUrl, { connections: 20, onError });
  const bus = createPostgresBus(databaseUrl, database.pool, onError);
  const connection = await connectTemporal(temporal);
  const client = new Client({ connection, namespace: temporal.namespace, dataConverter: { payloadConverterPath } });
  const health = {
    connection,
    namespace: temporal.namespace,
    pool: database.pool,
    handsFolder,
    handsQueue: defaults.handsQueue,
  };
  const deps: ApiDeps = {
    database,
    logStore: createLogStore(database.pool),
    sessionClient: createSessionClient(client),
    bus,
    blobs: await openBlobs(blobUrl),
    models,
    settings: {
      allowedOrigins: settings.LONGHAND_ALLOWED_ORIGINS,
      allowedHosts: settings.LONGHAND_ALLOWED_HOSTS,
      explicitKey: settings.LONGHAND_API_KEY,
      ...defaults,
    },
    health: async () => ({ ...(await checkHealth(health)), ...options.knownProblems?.() }),
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

/** `[::1]` as sockets want it. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** One line of JSON per event on stderr: warnings and errors, never bodies or keys. */
export function apiLog(): Logger {
  return pino({ level: 'warn' }, process.stderr);
}
