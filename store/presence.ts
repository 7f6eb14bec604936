/**
 * Which processes share a database, and which of them are alive. Each has a number, and holds an advisory lock on it for
 * as long as it lives: PostgreSQL lets go of the lock when the process's connection is gone, however it died.
 */
import { randomInt } from 'node:crypto';
import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { Client, type Pool } from 'pg';

/** The first of the lock's two keys; the second is the process's number. Any number that nobody else locks. */
const LOCKS = 5_105_194;
/** A machine that vanished sends no farewell: the server asks, and gives up after some 9 s. */
const KEEPALIVES = '-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=2';

export interface Presence {
  /** This process's number; null while the database cannot be reached. */
  number(): Promise<number | null>;
  /** The process counts as gone from now on. */
  close(): Promise<void>;
}

/** Takes one connection of its own, with the first question, and again when it is lost. */
export function createPresence(pool: Pool): Presence {
  const number = randomInt(1, 2 ** 31);
  let closed = false;
  let connection: Promise<Client> | undefined;

  async function connect(): Promise<Client> {
    const client = new Client({ ...pool.options, application_name: 'longhand presence', options: KEEPALIVES });
    const lost = () => {
      connection = undefined;
      void client.end().catch(() => undefined);
    };
    client.once('error', lost);
    client.once('end', lost);
    client.on('error', () => undefined);
    await client.connect();
    await client.query('select pg_advisory_lock($1::int, $2::int)', [LOCKS, number]);
    return client;
  }

  return {
    async number() {
      if (closed) return null;
      connection ??= connect().catch((error: unknown) => {
        connection = undefined;
        throw error;
      });
      return await connection.then(
        () => number,
        () => null,
      );
    },
    async close() {
      closed = true;
      const open = await connection?.catch(() => undefined);
      await open?.end();
    },
  };
}

/** True for the number of a process that is not there. */
export function isAbsent(number: PgColumn): SQL {
  return sql`not exists (select from pg_locks where locktype = 'advisory' and classid = ${LOCKS} and objsubid = 2
    and objid = ${number}::oid and granted and database = (select oid from pg_database where datname = current_database()))`;
}
