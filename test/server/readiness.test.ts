/** Servers of an operator's, of production kind: what setup does to them, and what the parts say before it did. */

import { Connection } from '@temporalio/client';
import { Client as Postgres } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { retentionDays } from '../../workers/temporal-namespace.ts';
import { startTemporaryPostgres, type TemporaryPostgres } from '../support/postgres.ts';
import { longhand } from '../support/run-longhand.ts';
import { type RealServer, startRealServer } from '../support/temporal-server.ts';

let postgres: TemporaryPostgres;
let server: RealServer;
let connection: Connection;
beforeAll(async () => {
  postgres = await startTemporaryPostgres();
  server = await startRealServer(postgres.url);
  connection = await Connection.connect({ address: server.address });
}, 900_000);
afterAll(async () => {
  await connection?.close();
  await server?.stop();
  await postgres?.remove();
}, 60_000);

const NAMESPACE = 'longhand';

function place(more: Record<string, string> = {}): Record<string, string> {
  return { DATABASE_URL: server.databaseUrl, TEMPORAL_ADDRESS: server.address, TEMPORAL_NAMESPACE: NAMESPACE, ...more };
}

async function sql(text: string, ...values: unknown[]): Promise<Record<string, unknown>[]> {
  const client = new Postgres({ connectionString: server.databaseUrl });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** Starts a part, which is expected to refuse. @returns what it says. */
async function refusal(part: 'api' | 'brain' | 'hands', more: Record<string, string> = {}): Promise<string> {
  const { DATABASE_URL: databaseUrl, ...rest } = place(more);
  const env: Record<string, string> = { ...rest, ...(part === 'hands' ? {} : { DATABASE_URL: databaseUrl ?? '' }) };
  const { code, stdout, stderr } = await longhand([part], env);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr.trim().split('\n'), 'one line').toHaveLength(1);
  return stderr.trim();
}

async function findings(more: Record<string, string> = {}): Promise<Record<string, string>> {
  const { stdout } = await longhand(['doctor', '--json'], place({ MODEL_API_KEY: 'k', ...more }));
  const report = JSON.parse(stdout) as { findings: { check: string; status: string; fix?: string }[] };
  return Object.fromEntries(
    report.findings.map(({ check, status, fix }) => [check, fix ? `${status}: ${fix}` : status]),
  );
}

const FIX = 'missing: run `longhand setup`';

describe('before setup', () => {
  test('each part refuses in one line that says what to run', async () => {
    expect(await refusal('brain')).toMatch(
      /^brain: The database "longhand_app" at .* has no tables of Longhand\. Run `longhand setup`/,
    );
    expect(await refusal('hands')).toMatch(
      /^hands: The Temporal namespace "longhand" does not exist\. Run `longhand setup`/,
    );
  }, 60_000);

  test('doctor names what is missing, with the fix, and ends with 1', async () => {
    expect(await findings()).toMatchObject({ database: 'ok', tables: FIX, temporal: 'ok', namespace: FIX });
    expect((await longhand(['doctor'], place({ MODEL_API_KEY: 'k' }))).code).toBe(1);
  }, 60_000);
});

describe('setup', () => {
  test('makes tables, namespace and search attributes, as a role that owns nothing else', async () => {
    const { code, stdout, stderr } = await longhand(['setup'], place());
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^Database: made the tables.*\nTemporal: made the namespace "longhand"; closed runs are kept for 30 days\.\nTemporal: added the search attributes LonghandAgent, LonghandStatus, LonghandWorkspace\.\n$/,
    );
    expect(await retentionDays(connection, NAMESPACE)).toBe(30);
    expect(await sql('select rolsuper from pg_roles where rolname = current_user')).toEqual([{ rolsuper: false }]);
  }, 120_000);

  test('a second run finds everything done, and two at once do not disturb one another', async () => {
    const outcomes = await Promise.all([0, 1].map(() => longhand(['setup'], place())));
    for (const { code, stdout } of outcomes) {
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /are of version \w+ already\.\n.*is there and keeps closed runs for 30 days\.\n.*are there\.\n$/,
      );
    }
    const fresh = { TEMPORAL_NAMESPACE: 'fresh' };
    const both = await Promise.all([0, 1].map(() => longhand(['setup'], place(fresh))));
    expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    expect(await retentionDays(connection, 'fresh')).toBe(30);
  }, 120_000);

  test('doctor finds everything, and ends with 0', async () => {
    const found = await findings();
    expect(found).toMatchObject({ tables: 'ok', namespace: 'ok', retention: 'ok', 'search attributes': 'ok' });
    expect((await longhand(['doctor'], place({ MODEL_API_KEY: 'k' }))).code).toBe(0);
  }, 60_000);
});

describe('a namespace that forgets', () => {
  async function keepFor(days: number): Promise<void> {
    const config = { workflowExecutionRetentionTtl: { seconds: (days * 86_400) as unknown as Long, nanos: 0 } };
    await connection.workflowService.updateNamespace({ namespace: NAMESPACE, config });
  }

  test('within 7 days: every part refuses it, and setup raises it', async () => {
    await keepFor(3);
    expect(await refusal('api')).toBe(
      'api: The Temporal namespace "longhand" keeps closed runs for 3 days, and sessions need at least 7 days. Run `longhand setup` with the same settings.',
    );
    expect(await findings()).toMatchObject({ retention: FIX });
    const { stdout } = await longhand(['setup'], place());
    expect(stdout).toContain('raised the retention of the namespace "longhand" from 3 days to 30 days');
    expect(await retentionDays(connection, NAMESPACE)).toBe(30);
  }, 120_000);

  test('within 20 days: doctor warns, and more than 30 days are left as they are', async () => {
    await keepFor(20);
    expect((await findings()).retention).toBe('warning: run `longhand setup`');
    await keepFor(90);
    await longhand(['setup'], place());
    expect(await retentionDays(connection, NAMESPACE)).toBe(90);
  }, 120_000);
});

test('a namespace without the search attributes is refused by name', async () => {
  await connection.workflowService.registerNamespace({
    namespace: 'bare',
    workflowExecutionRetentionPeriod: { seconds: (30 * 86_400) as unknown as Long, nanos: 0 },
  });
  const bare = { TEMPORAL_NAMESPACE: 'bare' };
  expect(await refusal('hands', bare)).toMatch(
    /"bare" lacks the search attributes LonghandAgent, LonghandStatus, LonghandWorkspace\. Run/,
  );
  expect((await findings(bare))['search attributes']).toBe(FIX);
}, 60_000);

describe('tables of another version', () => {
  test('older: the parts refuse them', async () => {
    const [last] = await sql(
      'delete from drizzle.__drizzle_migrations where id = (select max(id) from drizzle.__drizzle_migrations) returning *',
    );
    expect(await refusal('brain')).toMatch(
      /has tables of the older version 000\d_\w+; this Longhand needs 000\d_\w+\. Run `longhand setup`/,
    );
    await sql(
      'insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)',
      last?.hash,
      last?.created_at,
    );
  }, 60_000);

  test('newer: the parts and setup refuse them, and nothing is changed', async () => {
    await sql("insert into drizzle.__drizzle_migrations (hash, created_at) values ('from the future', 99999999999999)");
    expect(await refusal('api')).toMatch(
      /has tables of a newer version than this Longhand’s .* Run the newer Longhand/,
    );
    const { code, stderr } = await longhand(['setup'], place());
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^setup: .*newer version/)]);
    await sql("delete from drizzle.__drizzle_migrations where hash = 'from the future'");
  }, 60_000);

  test('changed: a migration whose text is another one is refused', async () => {
    await sql(
      "update drizzle.__drizzle_migrations set hash = 'x' || hash where id = (select min(id) from drizzle.__drizzle_migrations)",
    );
    expect(await refusal('brain')).toMatch(/was made with other migrations/);
    await sql("update drizzle.__drizzle_migrations set hash = substr(hash, 2) where hash like 'x%'");
  }, 60_000);
});

test('servers that do not answer are named without a password', async () => {
  const nowhere = { DATABASE_URL: 'postgres://me:hush@127.0.0.1:9/x', TEMPORAL_ADDRESS: '127.0.0.1:9' };
  for (const said of [await refusal('api', nowhere), JSON.stringify(await longhand(['doctor'], place(nowhere)))]) {
    expect(said).toMatch(/database .*x.* at 127\.0\.0\.1:9 does not answer: connect ECONNREFUSED/);
    expect(said).not.toContain('hush');
  }
  expect((await longhand(['setup'], place(nowhere))).code).toBe(1);
}, 60_000);

test('nothing named, or a wrong argument, is told and ends with 2', async () => {
  expect(await longhand(['setup'], {})).toMatchObject({ code: 2, stderr: expect.stringMatching(/nothing to set up/) });
  expect(await longhand(['doctor', 'gate'], {})).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Usage/) });
});
