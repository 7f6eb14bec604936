/** The connection pool, Drizzle over it, and the migrations. */
import { fileURLToPath } from 'node:url';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { Client, Pool } from 'pg';
import * as schema from './schema.ts';

/** Folder of the migrations. */
export const MIGRATIONS = fileURLToPath(new URL('./migrations', import.meta.url));
/** Any number, the same in every process: whoever holds this advisory lock migrates. */
const MIGRATION_LOCK = 5_105_193;

/** Drizzle over a pool, or over one transaction of it. */
export type Queries = NodePgDatabase<typeof schema>;

export interface Database {
  pool: Pool;
  orm: Queries;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Largest number of connections; default 10. */
  connections?: number;
  /** Gets errors of idle connections (a restarted server); they are replaced by themselves. */
  onError?: (error: Error) => void;
}

/** Opens a pool; connections are made when they are needed. */
export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  const pool = new Pool({
    connectionString: url,
    max: options.connections ?? 10,
    connectionTimeoutMillis: 10_000,
    application_name: 'longhand',
  });
  pool.on('error', (error) => options.onError?.(error));
  return { pool, orm: drizzle(pool, { schema }), close: () => pool.end() };
}

/** Brings the tables up to date. Processes that start together wait for one another. */
export async function migrateDatabase(url: string): Promise<void> {
  const client = new Client({ connectionString: url, application_name: 'longhand migration' });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS });
  } finally {
    await client.end();
  }
}
