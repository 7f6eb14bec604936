import { beforeAll, describe, expect, test } from 'vitest';
import type { LogEntry } from '../events/entry.ts';
import { usePostgres } from '../test/support/postgres.ts';
import type { Carry } from '../workflows/contract.ts';
import { createPostgresBus } from './bus-postgres.ts';
import { type Database, migrateDatabase, openDatabase } from './database.ts';
import { LogConflict, type LogStore } from './log.ts';
import { createLogStore } from './log-postgres.ts';
import { sessions as sessionRows } from './schema.ts';

const postgres = usePostgres();
let url: string;
let database: Database;
let log: LogStore;
beforeAll(async () => {
  url = await postgres.createDatabase();
  await migrateDatabase(url);
  database = openDatabase(url);
  log = createLogStore(database.pool);
  return () => database.close();
});

let sessions = 0;
/** Carries of a new session whose entries say their seq, or what they are given. */
function newSession() {
  const session = `sesn_${++sessions}`;
  const entry = (seq: number, text = `entry ${seq}`): LogEntry => ({
    thread: 't',
    seq,
    event: {
      id: `${session}_${seq}`,
      type: 'agent.message',
      processed_at: '2026-01-01T00:00:00.000Z',
      content: [{ type: 'text', text }],
    },
  });
  const carry = (...entries: LogEntry[]): Carry => ({
    session,
    workspace: 'w',
    thread: 't',
    run: 'run',
    entries,
    row: {
      seq: entries.at(-1)?.seq ?? -1,
      status: 'idle',
      usage: {},
      stats: {},
      updated_at: '2026-01-01T00:00:00.000Z',
      archived_at: null,
      running_since: null,
    },
  });
  return { session, entry, carry };
}

describe('append', () => {
  test('may be repeated, in part or whole, and stores each entry once', async () => {
    const { session, entry, carry } = newSession();
    expect(await log.append(carry(entry(0), entry(1)))).toBe(1);
    expect(await log.append(carry(entry(0), entry(1)))).toBe(1);
    expect(await log.append(carry(entry(1), entry(2)))).toBe(2);
    expect(await log.read(session, 't', 0)).toEqual([entry(0), entry(1), entry(2)]);
  });

  test('of another content under a seq is a LogConflict and stores nothing of its carry', async () => {
    const { session, entry, carry } = newSession();
    await log.append(carry(entry(0)));
    await expect(log.append(carry(entry(0, 'something else'), entry(1)))).rejects.toBeInstanceOf(LogConflict);
    expect(await log.read(session, 't', 0)).toEqual([entry(0)]);
  });

  test('ahead of a gap is kept but not shown until the gap is filled', async () => {
    const { session, entry, carry } = newSession();
    await log.append(carry(entry(0)));
    expect(await log.append(carry(entry(2), entry(3)))).toBe(0);
    expect(await log.read(session, 't', 0)).toEqual([entry(0)]);
    expect(await log.append(carry(entry(1)))).toBe(3);
    expect(await log.read(session, 't', 1, 2)).toEqual([entry(1), entry(2)]);
  });

  test('keeps U+0000 and lone surrogates as they are', async () => {
    const { session, entry, carry } = newSession();
    const odd = entry(0, 'a\u0000b\ud800c');
    await log.append(carry(odd));
    expect(await log.read(session, 't', 0)).toEqual([odd]);
  });

  test('by two writers at once ends with one gapless log', async () => {
    const { session, entry, carry } = newSession();
    const seqs = Array.from({ length: 40 }, (_, seq) => seq);
    await Promise.all(seqs.map((seq) => log.append(carry(entry(seq)))));
    await Promise.all(seqs.map((seq) => log.append(carry(entry(seq)))));
    expect(await log.head(session, 't')).toBe(39);
  });

  test('nudges who listens on the bus with the new head', async () => {
    const { session, entry, carry } = newSession();
    const bus = createPostgresBus(url, database.pool, () => undefined);
    const heads: number[] = [];
    await bus.subscribe(session, (note) => note.kind === 'head' && heads.push(note.head));
    await log.append(carry(entry(0)));
    await log.append(carry(entry(1)));
    await expect.poll(() => heads).toEqual([0, 1]);
    await bus.close();
  });
});

test('a title that is stored late still reaches the row, and an older one does not take its place', async () => {
  const session = 'sesn_titles';
  const now = new Date();
  await database.orm.insert(sessionRows).values({
    ...{ id: session, workspaceId: 'w', thread: 't', phase: 'live', status: 'idle', rowSeq: -1, title: 'first' },
    ...{ metadata: {}, agentId: 'a', agentVersion: 1, agentRev: 1, environmentId: 'e', usage: {}, stats: {} },
    ...{ createdAt: now, updatedAt: now },
  });
  const { carry } = newSession();
  const titled = (seq: number, title: string): LogEntry => ({
    thread: 't',
    seq,
    event: { id: `e${seq}`, type: 'session.updated', processed_at: now.toISOString(), title },
    private: { row: { title } },
  });
  const store = (...entries: LogEntry[]) => log.append({ ...carry(...entries), session });
  await store(titled(2, 'newest'));
  await store(titled(1, 'older'), titled(0, 'oldest'));
  const row = await database.pool.query('select title, row_seq from sessions where id = $1', [session]);
  expect(row.rows[0]).toMatchObject({ title: 'newest', row_seq: '2' });
});
