/** What the brain does for other services, wired from the rooms: the api's own code behind activities. */
import { randomBytes } from 'node:crypto';
import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { type Logger, pino } from 'pino';
import { createReadEvents } from '../activities/read-events.ts';
import { createServiceActivities } from '../activities/service.ts';
import { createSessionEnds } from '../activities/session-ends.ts';
import { createWake } from '../activities/wake.ts';
import { createSessionService, type ModelCatalogue } from '../api/index.ts';
import { createSessionClient } from '../client/temporal-session-client.ts';
import type { Bus } from '../events/bus.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import type { Database } from '../store/database.ts';
import type { LogStore } from '../store/log.ts';
import type { Segments } from '../store/segments.ts';
import type { ServiceActivities } from '../workflows/service-contract.ts';
import type { SessionDefaults } from './session-defaults.ts';
import { payloadConverterPath } from './workflow-bundle.ts';

export interface BrainServiceParts {
  connection: NativeConnection;
  namespace: string;
  database: Database;
  log: LogStore;
  blobs: Blobs;
  bus: Bus;
  segments: Segments;
  models: ModelCatalogue;
  defaults: SessionDefaults;
  onError(error: Error): void;
}

export interface BrainService {
  activities: ServiceActivities;
  /** Hands over what waits. Before the connections are closed. */
  close(): Promise<void>;
}

export function createBrainService(parts: BrainServiceParts): BrainService {
  const { connection, namespace, database, log, blobs, bus, segments, models, defaults, onError } = parts;
  const { orm, pool } = database;
  const temporal = new Client({ connection, namespace, dataConverter: { payloadConverterPath } });
  const sessionClient = createSessionClient(temporal);
  const service = createSessionService({
    ...{ database, logStore: log, sessionClient, bus, blobs, models },
    settings: { allowedOrigins: [], allowedHosts: [], ...defaults },
    health: async () => ({}),
    log: warnings(),
    now: Date.now,
    random: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  });
  const ends = createSessionEnds({ temporal, pool, orm, bus, blobs, onError });
  const { lookUp, startAgain } = sessionClient;
  const known = { harness: defaults.harness, settings: defaults.session };
  return {
    activities: createServiceActivities({
      ...{ service, blobs },
      readEvents: createReadEvents({ orm, log, blobs }),
      wake: createWake({ orm, log, segments, service, lookUp, startAgain, defaults: known }),
      awaitEnd: ends.awaitEnd,
    }),
    close: ends.close,
  };
}

function warnings(): Logger {
  return pino({ level: 'warn' }, process.stderr);
}
