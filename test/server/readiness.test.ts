/** Servers of an operator's, of production kind: what setup does to them, and what the parts say before it did. */
import { Connection } from '@temporalio/client';
import { Client as Postgres } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examine } from '../../workers/doctor.ts';
import { assertServersReady } from '../../workers/readiness.ts';
import { setUpDatabase, setUpTemporal } from '../../workers/setup.ts';
import { temporalTarget } from '../../workers/temporal-connection.ts';
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
const DAY = 86_400;

type Env = Record<string, string>;

function place(more: Env = {}): Env {
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

/** What setup says, line by line. */
async function setup(more: Env = {}): Promise<string[]> {
  const env = place(more);
  const lines: string[] = [];
  await setUpDatabase(env.DATABASE_URL ?? '', (line) => lines.push(line));
  await setUpTemporal(targetOf(env), (line) => lines.push(line));
  return lines;
}

/** What keeps a part with these settings from starting. */
async function refusal(more: Env = {}): Promise<string> {
  const env = place(more);
  return await assertServersReady(targetOf(env), env.DATABASE_URL).then(
    () => 'nothing',
    (error: Error) => error.message,
  );
}

function targetOf(env: Env) {
  const target = temporalTarget(env);
  if (!target) throw new Error('no TEMPORAL_ADDRESS');
  return target;
}

async function findings(more: Env = {}): Promise<Record<string, string>> {
  const found = await examine(place({ MODEL_API_KEY: 'k', ...more }));
  return Object.fromEntries(found.map(({ check, status, fix }) => [check, fix ? `${status}: ${fix}` : status]));
}

const FIX = 'missing: run `longhand setup`';

describe('before setup', () => {
  test('each part refuses in one line that says what to run', async () => {
    const { DATABASE_URL, ...hands } = place();
    expect(await longhand(['brain'], place())).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^brain: The database "longhand_app" at .* has no tables of Longhand\. Run `longhand setup` .*\n$/,
      ),
    });
    expect(await longhand(['hands'], hands)).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^hands: The Temporal namespace "longhand" does not exist\. Run `longhand setup` .*\n$/,
      ),
    });
  }, 120_000);

  test('doctor names what is missing, with the fix, and ends with 1', async () => {
    expect(await findings()).toMatchObject({ database: 'ok', tables: FIX, temporal: 'ok', namespace: FIX });
    const { code, stdout } = await longhand(['doctor'], place({ MODEL_API_KEY: 'k' }));
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^missing +namespace +"longhand" does not exist\n +Fix: run/m),
    ]);
  }, 120_000);
});

describe('setup', () => {
  test('makes tables, namespace and search attributes, as a role that owns nothing else', async () => {
    const { code, stdout, stderr } = await longhand(['setup'], place());
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^Database: made the tables, version \w+\.$/),
      'Temporal: made the namespace "longhand"; closed runs are kept for 30 days.',
      'Temporal: added the search attributes LonghandAgent, LonghandStatus, LonghandWorkspace.',
    ]);
    expect(await retentionDays(connection, NAMESPACE)).toBe(30);
    expect(await sql('select rolsuper from pg_roles where rolname = current_user')).toEqual([{ rolsuper: false }]);
    expect(await refusal()).toBe('nothing');
  }, 120_000);

  test('a second run finds everything done', async () => {
    expect(await setup()).toEqual([
      expect.stringMatching(/^Database: the tables are of version \w+ already\.$/),
      'Temporal: the namespace "longhand" is there and keeps closed runs for 30 days.',
      'Temporal: the search attributes are there.',
    ]);
  }, 60_000);

  test('two at once do not disturb one another', async () => {
    await sql('drop schema drizzle cascade; drop schema public cascade; create schema public');
    await Promise.all([0, 1].map(() => setup({ TEMPORAL_NAMESPACE: 'fresh' })));
    expect(await refusal({ TEMPORAL_NAMESPACE: 'fresh' })).toBe('nothing');
  }, 120_000);

  test('doctor finds everything, and ends with 0', async () => {
    const { code, stdout } = await longhand(['doctor', '--json'], place({ MODEL_API_KEY: 'k' }));
    const report = JSON.parse(stdout) as { ok: boolean; findings: { check: string; status: string }[] };
    expect([code, report.ok]).toEqual([0, true]);
    expect(report.findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['tables', 'namespace', 'retention', 'search attributes']),
    );
  }, 120_000);
});

describe('a namespace that forgets', () => {
  async function keepFor(days: number): Promise<void> {
    const config = { workflowExecutionRetentionTtl: { seconds: (days * DAY) as unknown as Long, nanos: 0 } };
    await connection.workflowService.updateNamespace({ namespace: NAMESPACE, config });
  }

  test('within 7 days: every part refuses it, and setup raises it', async () => {
    await keepFor(3);
    expect(await refusal()).toBe(
      'The Temporal namespace "longhand" keeps closed runs for 3 days, and sessions need at least 7 days. Run `longhand setup` with the same settings.',
    );
    expect(await findings()).toMatchObject({ retention: FIX });
    expect(await setup()).toContain(
      'Temporal: raised the retention of the namespace "longhand" from 3 days to 30 days.',
    );
    expect(await retentionDays(connection, NAMESPACE)).toBe(30);
  }, 60_000);

  test('within 20 days: doctor warns; more than 30 days are left as they are', async () => {
    await keepFor(20);
    expect(await refusal()).toBe('nothing');
    expect((await findings()).retention).toBe('warning: run `longhand setup`');
    await keepFor(90);
    await setup();
    expect(await retentionDays(connection, NAMESPACE)).toBe(90);
  }, 60_000);
});

test('a namespace without the search attributes is refused by name', async () => {
  const workflowExecutionRetentionPeriod = { seconds: (30 * DAY) as unknown as Long, nanos: 0 };
  await connection.workflowService.registerNamespace({ namespace: 'bare', workflowExecutionRetentionPeriod });
  const bare = { TEMPORAL_NAMESPACE: 'bare' };
  // The server tells of a new namespace's attributes once it has got about.
  await expect
    .poll(() => refusal(bare), { timeout: 30_000 })
    .toMatch(/"bare" lacks the search attributes LonghandAgent, LonghandStatus, LonghandWorkspace\. Run/);
  expect((await findings(bare))['search attributes']).toBe(FIX);
}, 60_000);

describe('tables of another version', () => {
  const last = '(select max(id) from drizzle.__drizzle_migrations)';

  test('older: refused, and setup brings them up to date', async () => {
    const [row] = await sql(`delete from drizzle.__drizzle_migrations where id = ${last} returning *`);
    expect(await refusal()).toMatch(
      /has tables of the older version \d{4}_\w+; this Longhand needs \d{4}_\w+\. Run `longhand setup`/,
    );
    await sql(
      'insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)',
      row?.hash,
      row?.created_at,
    );
    expect(await refusal()).toBe('nothing');
  });

  test('newer: the parts and setup refuse them, and nothing is changed', async () => {
    const newer = ['from the future', 99_999_999_999_999];
    await sql('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', ...newer);
    expect(await refusal()).toMatch(/has tables of a newer version than this Longhand’s .* Run the newer Longhand/);
    await expect(setup()).rejects.toThrow(/newer version/);
    await sql('delete from drizzle.__drizzle_migrations where hash = $1', newer[0]);
  });

  test('changed: a migration whose text is another one is refused', async () => {
    await sql(`update drizzle.__drizzle_migrations set hash = 'x' || hash where id = ${last}`);
    expect(await refusal()).toMatch(/was made with other migrations/);
    await sql("update drizzle.__drizzle_migrations set hash = substr(hash, 2) where hash like 'x%'");
  });
});

test('servers that do not answer are named without a password', async () => {
  const nowhere = { DATABASE_URL: 'postgres://me:hush@127.0.0.1:9/x', TEMPORAL_ADDRESS: '127.0.0.1:9' };
  const noDatabase = /database .*x.* at 127\.0\.0\.1:9 (does not answer|cannot be used): connect ECONNREFUSED/;
  const said = [await refusal(nowhere), JSON.stringify(await examine(place(nowhere)))];
  said.push(
    await setup(nowhere)
      .catch((error: Error) => error.message)
      .then(String),
  );
  for (const words of said) {
    expect(words).toMatch(noDatabase);
    expect(words).not.toContain('hush');
  }
  const { DATABASE_URL } = place();
  expect(await refusal({ ...nowhere, DATABASE_URL: DATABASE_URL ?? '' })).toMatch(
    /^The Temporal server at 127\.0\.0\.1:9 does not answer/,
  );
}, 60_000);

test('nothing named, or a wrong argument, is told and ends with 2', async () => {
  expect(await longhand(['setup'], {})).toMatchObject({ code: 2, stderr: expect.stringMatching(/nothing to set up/) });
  expect(await longhand(['doctor', 'gate'], {})).toMatchObject({ code: 2, stderr: expect.stringMatching(/^Usage/) });
}, 60_000);
