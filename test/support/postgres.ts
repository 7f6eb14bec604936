/** A real PostgreSQL for tests: one temporary server per test file, one fresh database per call. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { type EmbeddedPostgres, startPostgres } from '../../store/postgres/embedded.ts';

export interface TestPostgres {
  /** Makes an empty database and returns its URL. It goes away with the server. */
  createDatabase(): Promise<string>;
}

/**
 * Starts a server before the file's tests (about 1.5 s) and removes it after them. Call it at the top of a test file or
 * of a `describe`.
 * @example
 * const postgres = usePostgres();
 * test('…', async () => { const url = await postgres.createDatabase(); });
 */
export function usePostgres(): TestPostgres {
  let server: TemporaryPostgres | undefined;
  beforeAll(async () => {
    server = await startTemporaryPostgres();
  }, 60_000);
  afterAll(async () => {
    await server?.remove();
  }, 60_000);
  return {
    createDatabase: async () => {
      if (server === undefined) throw new Error('createDatabase() was called before the test file’s beforeAll.');
      return await createDatabase(server.url);
    },
  };
}

/** A server that tests can take away and bring back. */
export interface TemporaryPostgres extends Pick<EmbeddedPostgres, 'url'> {
  /** SIGKILL. Resolves when it is dead. */
  kill(): Promise<void>;
  /** Starts it again after a kill, under the same URL. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** The same without vitest's hooks, for benchmarks and support code. */
export async function startTemporaryPostgres(durable = false): Promise<TemporaryPostgres> {
  const home = await mkdtemp(join(tmpdir(), 'longhand-test-'));
  const launch = () => startPostgres({ dataDir: join(home, 'postgres'), durable });
  let server = await launch();
  return {
    url: server.url,
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    async start() {
      server = await launch();
    },
    async remove() {
      await server.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** @param url - of any database of the server. */
export async function createDatabase(url: string): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
  return url.replace(/\/longhand\?/, `/${name}?`);
}
