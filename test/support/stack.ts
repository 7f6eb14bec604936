/**
 * A whole Longhand for tests: real PostgreSQL, real Temporal, the workers as processes that can be killed, and the
 * rehearsal in the model's place. `LONGHAND_TEST_TEMPORAL=server` puts the layout of docker-compose.temporal.yml in the
 * dev server's place (temporal-server.ts).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import type { SessionClient } from '../../client/session.ts';
import { createSessionClient } from '../../client/temporal-session-client.ts';
import { type Rehearsal, type RehearsalFile, startRehearsal } from '../../rehearsal/rehearsal.ts';
import { createGvisorHands } from '../../sandbox/gvisor/hands.ts';
import type { Blobs } from '../../store/blobs/blobs.ts';
import { openBlobs } from '../../store/blobs/open.ts';
import { type Database, migrateDatabase, openDatabase } from '../../store/database.ts';
import type { LogStore } from '../../store/log.ts';
import { createLogStore } from '../../store/log-postgres.ts';
import { homeLayout } from '../../workers/data-folder.ts';
import { cacheFolder } from '../../workers/programs/cache.ts';
import { findRunsc } from '../../workers/programs/find-program.ts';
import { kubernetesEnv, releasePods } from './pods.ts';
import { createDatabase, startTemporaryPostgres, type TemporaryPostgres } from './postgres.ts';
import { runLonghand } from './run-longhand.ts';
import { startTestTemporal, type TestTemporal } from './temporal.ts';
import { startRealServer } from './temporal-server.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

export interface Stack {
  home: string;
  databaseUrl: string;
  database: Database;
  postgres: TemporaryPostgres;
  temporal: TestTemporal;
  temporalClient: Client;
  rehearsal: Rehearsal;
  sessions: SessionClient;
  log: LogStore;
  blobs: Blobs;
  brain: WorkerProcess;
  /** @throws when the stack was started without hands. */
  readonly hands: WorkerProcess;
  /** Environments of the parts, to start further ones. */
  env: Record<'api' | 'brain' | 'hands', Record<string, string>>;
  stop(): Promise<void>;
}

export interface StackOptions {
  /** Answers at once unless the script says otherwise. */
  script: RehearsalFile;
  /** Default: what LONGHAND_TEST_TEMPORAL says, else the dev server. */
  temporal?: 'dev' | 'server';
  /** Start a hands worker with sandboxes: on this machine (`true`), or pods. */
  hands?: boolean | 'kubernetes';
  /** PostgreSQL syncs to disk, as it does outside of tests. */
  durable?: boolean;
  /** More environment for the workers. */
  env?: Record<string, string>;
  /** Where a worker reaches the Temporal server at `address`, e.g. through a proxy. Default: there. */
  route?(part: 'brain' | 'hands', address: string): Promise<string>;
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const home = await mkdtemp(join(tmpdir(), 'longhand-stack-'));
  const undo: (() => Promise<unknown>)[] = [() => rm(home, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const postgres = await startTemporaryPostgres(options.durable);
    undo.push(() => postgres.remove());
    const { temporal, databaseUrl } = await startServers(
      options.temporal ?? process.env.LONGHAND_TEST_TEMPORAL,
      postgres,
      home,
    );
    undo.push(() => temporal.stop());
    const database = openDatabase(databaseUrl, { onError: () => undefined });
    undo.push(() => database.close());
    const connection = await Connection.connect({ address: temporal.address });
    undo.push(() => connection.close());
    const temporalClient = new Client({ connection });
    const rehearsal = await startRehearsal({
      script: { pace: { first_token_ms: 0, chunk_ms: 0 }, ...options.script },
    });
    undo.push(() => rehearsal.close());
    const common = {
      LONGHAND_HOME: home,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: 'default',
      ...options.env,
    };
    const env = {
      api: { ...common, DATABASE_URL: databaseUrl, LONGHAND_PORT: '0' },
      brain: { ...common, DATABASE_URL: databaseUrl, MODEL_BASE_URL: rehearsal.url, MODEL_API_KEY: 'rehearsal' },
      hands: {
        ...common,
        ...(options.hands === 'kubernetes' ? kubernetesEnv() : {}),
        LONGHAND_RUNSC: options.hands === true ? await findRunsc({ onProgress: console.log }) : '',
      },
    };
    for (const part of ['brain', 'hands'] as const) {
      env[part].TEMPORAL_ADDRESS = (await options.route?.(part, temporal.address)) ?? temporal.address;
    }
    const brain = await startWorkerProcess('brain', env.brain);
    undo.push(() => brain.stop());
    let hands: WorkerProcess | undefined;
    if (options.hands) {
      undo.push(() => (options.hands === 'kubernetes' ? releasePods(home) : releaseSandboxes(home)));
      hands = await startWorkerProcess('hands', env.hands);
      undo.push(async () => hands?.stop());
    }
    return {
      get hands() {
        if (!hands) throw new Error('This stack was started without hands.');
        return hands;
      },
      home,
      databaseUrl,
      database,
      postgres,
      temporal,
      temporalClient,
      rehearsal,
      sessions: createSessionClient(temporalClient),
      log: createLogStore(database.pool),
      blobs: await openBlobs(options.env?.BLOB_URL ?? pathToFileURL(join(home, 'blobs')).href),
      brain,
      env,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The Temporal server, and a database with the tables. */
async function startServers(
  kind: string | undefined,
  postgres: TemporaryPostgres,
  home: string,
): Promise<{ temporal: TestTemporal; databaseUrl: string }> {
  if (kind !== 'server') {
    const databaseUrl = await createDatabase(postgres.url);
    await migrateDatabase(databaseUrl);
    return { temporal: await startTestTemporal(home), databaseUrl };
  }
  const temporal = await startRealServer(postgres.url);
  const { databaseUrl, address } = temporal;
  await runLonghand(['setup'], { DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'default' });
  return { temporal, databaseUrl };
}

/** Sandboxes outlive their worker: what a test leaves is removed by a provider over the same folder. */
export async function releaseSandboxes(home: string): Promise<void> {
  const provider = createGvisorHands({
    runsc: await findRunsc({ onProgress: console.log }),
    nodeBinary: process.execPath,
    stateDir: join(homeLayout(home).hands, 'gvisor'),
    cacheDir: cacheFolder(),
    checkpoints: { put: () => Promise.reject(new Error('not here')), get: () => Promise.reject(new Error('not here')) },
  });
  await provider.releaseAll();
  await provider.close();
}
