/** The connection pool, Drizzle over it, and the migrations. */
import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { Client, Pool } from 'pg';
import * as schema from './schema.ts';

const MIGRATIONS = fileURLToPath(new URL('./migrations', import.meta.url));
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

/** How the tables of a database compare with those that this code knows. */
export type DatabaseState = 'current' | 'empty' | 'old' | 'new';

/** Looks, and changes nothing. Rejects when the database cannot be reached. */
export async function databaseState(url: string): Promise<DatabaseState> {
  const client = new Client({ connectionString: url, application_name: 'longhand', connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const made = await client.query<{ there: boolean }>(
      "select to_regclass('drizzle.__drizzle_migrations') is not null as there",
    );
    if (!made.rows[0]?.there) return 'empty';
    const { rows } = await client.query<{ at: string | null }>(
      'select max(created_at) as at from drizzle.__drizzle_migrations',
    );
    const at = Number(rows[0]?.at ?? 0);
    const known = Math.max(
      ...readMigrationFiles({ migrationsFolder: MIGRATIONS }).map(({ folderMillis }) => folderMillis),
    );
    if (at === 0) return 'empty';
    return at === known ? 'current' : at < known ? 'old' : 'new';
  } finally {
    await client.end();
  }
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
