/** The bus over PostgreSQL's LISTEN and NOTIFY: one channel, one listening connection per process, ids only. */
import { Client, type Pool } from 'pg';
import type { Bus, Note } from '../events/bus.ts';

const CHANNEL = 'longhand';
/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const MAX_NOTE_BYTES = 7_999;
const RECONNECT_MS = 500;

/**
 * @param url - for the listening connection, which is opened with the first subscriber and again whenever it breaks.
 * @param pool - for sending.
 */
export function createPostgresBus(url: string, pool: Pool, onError: (error: Error) => void): Bus {
  const listeners = new Map<string, Set<(note: Note) => void>>();
  let closed = false;
  let connection: Promise<Client> | undefined;

  function deliver(payload: string | undefined): void {
    try {
      const note = JSON.parse(payload ?? '') as Note;
      for (const listener of listeners.get(note.session) ?? []) listener(note);
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async function listen(): Promise<Client> {
    const client = new Client({ connectionString: url, application_name: 'longhand bus' });
    client.on('notification', (message) => deliver(message.payload));
    let gone = false;
    const lost = (error?: Error) => {
      // `end` follows `error`: only the first may make way for a new connection.
      if (closed || gone) return;
      gone = true;
      connection = undefined;
      if (error) onError(error);
      void client.end().catch(() => undefined);
      if (listeners.size > 0) setTimeout(reconnect, RECONNECT_MS).unref();
    };
    client.on('error', lost);
    client.on('end', () => lost());
    await client.connect();
    await client.query(`listen ${CHANNEL}`);
    return client;
  }

  function reconnect(): void {
    if (closed || connection) return;
    connect().catch(() => setTimeout(reconnect, RECONNECT_MS).unref());
  }

  function connect(): Promise<Client> {
    connection ??= listen().catch((error: unknown) => {
      connection = undefined;
      throw error;
    });
    return connection;
  }

  return {
    async publish(note) {
      const payload = JSON.stringify(note);
      if (Buffer.byteLength(payload) > MAX_NOTE_BYTES) {
        throw new Error(`A bus note of ${Buffer.byteLength(payload)} bytes is over the limit of ${MAX_NOTE_BYTES}.`);
      }
      await pool.query('select pg_notify($1, $2)', [CHANNEL, payload]);
    },

    async subscribe(session, listener) {
      const set = listeners.get(session) ?? new Set();
      listeners.set(session, set.add(listener));
      // Whoever listens looks at the store once a second anyway: a database that is away must not refuse a reader.
      await connect().catch(() => setTimeout(reconnect, RECONNECT_MS).unref());
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(session) === set) listeners.delete(session);
      };
    },

    async close() {
      closed = true;
      const open = await connection?.catch(() => undefined);
      await open?.end();
    },
  };
}
