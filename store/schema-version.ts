/** Which version the tables of a database are of, compared with what this Longhand was written for. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { MIGRATIONS } from './database.ts';

/** The oldest PostgreSQL that Longhand's SQL runs on. */
export const OLDEST_POSTGRES = 15;

export interface SchemaState {
  /**
   * `empty`: no tables yet; `older`: migrations are to be made; `newer`: there are some that this Longhand does not know
   * (a newer one made them); `changed`: a migration was made with another text than it has here.
   */
  kind: 'current' | 'empty' | 'older' | 'newer' | 'changed';
  /** Name of the last migration that was made and is known here, such as `0002_stamps_of_fields`. */
  applied: string | undefined;
  /** Name of the last migration of this Longhand. */
  latest: string;
  /** Major version of the server. */
  postgres: number;
}

/** Rejects when the database does not answer within 10 s. */
export async function schemaState(url: string): Promise<SchemaState> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    query_timeout: 10_000,
    application_name: 'longhand check',
  });
  // A server that goes away meanwhile says so twice: by this event, and by the query's rejection.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const server = await client.query<{ number: string }>("select current_setting('server_version_num') as number");
    return {
      ...compare(await appliedMigrations(client)),
      postgres: Math.floor(Number(server.rows[0]?.number) / 10_000),
    };
  } finally {
    await client.end();
  }
}

interface Applied {
  /** The stamp of the migration's making, ms since the epoch; it is what orders them. */
  when: number;
  hash: string;
}

async function appliedMigrations(client: Client): Promise<Applied[]> {
  // Drizzle's own table of what it has done.
  const there = await client.query("select to_regclass('drizzle.__drizzle_migrations') is not null as there");
  if (!there.rows[0]?.there) return [];
  const { rows } = await client.query<{ created_at: string; hash: string }>(
    'select created_at, hash from drizzle.__drizzle_migrations',
  );
  return rows.map(({ created_at, hash }) => ({ when: Number(created_at), hash }));
}

function compare(applied: Applied[]): Omit<SchemaState, 'postgres'> {
  const known = knownMigrations();
  const hashes = new Map(applied.map(({ when, hash }) => [when, hash]));
  const made = known.filter(({ when }) => hashes.has(when));
  const names = { applied: made.at(-1)?.tag, latest: known.at(-1)?.tag ?? 'none' };
  const kind = () => {
    if (applied.length === 0) return 'empty';
    if (applied.some(({ when }) => !known.some((migration) => migration.when === when))) return 'newer';
    if (made.some(({ when, hash }) => hashes.get(when) !== hash)) return 'changed';
    return made.length < known.length ? 'older' : 'current';
  };
  return { kind: kind(), ...names };
}

function knownMigrations(): { when: number; tag: string; hash: string }[] {
  const journal = JSON.parse(readFileSync(`${MIGRATIONS}/meta/_journal.json`, 'utf8')) as {
    entries: { when: number; tag: string }[];
  };
  return journal.entries.map(({ when, tag }) => {
    const hash = createHash('sha256')
      .update(readFileSync(`${MIGRATIONS}/${tag}.sql`))
      .digest('hex');
    return { when, tag, hash };
  });
}

/** Host, port and name, without the password: for messages. */
export function databasePlace(url: string): string {
  const { host, port, database } = new Client({ connectionString: url });
  return `database "${database}" at ${host.startsWith('/') ? host : `${host}:${port}`}`;
}
