/** Servers that are not ready are refused in one line that says what to run; `longhand setup` mends, `doctor` tells. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client as PostgresClient } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrateDatabase } from '../store/database.ts';
import { usePostgres } from '../test/support/postgres.ts';
import { startTestTemporal, type TestTemporal } from '../test/support/temporal.ts';
import { startProcess } from './child-process.ts';
import { connectTemporal } from './temporal-connection.ts';

const LONGHAND = fileURLToPath(new URL('../bin/longhand.mjs', import.meta.url));
const DAY_S = 86_400;

const postgres = usePostgres();
let home: string;
let temporal: TestTemporal;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhand-ready-'));
  temporal = await startTestTemporal(home);
}, 600_000);
afterAll(async () => {
  await temporal?.stop();
  await rm(home, { recursive: true, force: true });
}, 60_000);

/** Runs a command to its end; the lines that it wrote. */
async function longhand(args: string[], env: Record<string, string>): Promise<{ how: string; lines: string[] }> {
  const lines: string[] = [];
  const child = await startProcess({
    command: process.execPath,
    args: [LONGHAND, ...args],
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', LONGHAND_HOME: home, ...env },
    stopMs: 40_000,
    onLine: (line) => {
      lines.push(line);
      if (line.endsWith(' ready')) void child.stop();
    },
  });
  const how = await child.exited;
  // What was written last may still be on its way here.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { how, lines };
}

async function makeNamespace(namespace: string, days: number): Promise<void> {
  const connection = await connectTemporal({ address: temporal.address });
  const period = { seconds: (days * DAY_S) as unknown as Long, nanos: 0 };
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: period });
  await connection.close();
}

async function tables(how: 'none' | 'old' | 'current' | 'new'): Promise<string> {
  const url = await postgres.createDatabase();
  if (how !== 'none') await migrateDatabase(url);
  const client = new PostgresClient({ connectionString: url });
  await client.connect();
  const latest = 'select max(created_at) from drizzle.__drizzle_migrations';
  if (how === 'old') await client.query(`delete from drizzle.__drizzle_migrations where created_at = (${latest})`);
  if (how === 'new') {
    await client.query(`insert into drizzle.__drizzle_migrations (hash, created_at) select 'x', (${latest}) + 1`);
  }
  await client.end();
  return url;
}

describe('a part is refused in one line', () => {
  test.each([
    [
      'no server',
      { TEMPORAL_ADDRESS: '127.0.0.1:1' },
      /The Temporal server at 127\.0\.0\.1:1 does not answer: .*Check TEMPORAL_ADDRESS/,
    ],
    ['no namespace', { TEMPORAL_NAMESPACE: 'nowhere' }, /has no namespace "nowhere"\. Run `longhand setup` to make it/],
    [
      'a short retention',
      { TEMPORAL_NAMESPACE: 'short' },
      /"short" keeps closed runs for 1 days.*Run `longhand setup`/,
    ],
    [
      'no search attributes',
      { TEMPORAL_NAMESPACE: 'bare' },
      /lacks the search attributes LonghandAgent, .*Run `longhand setup`/,
    ],
  ])(
    '%s',
    async (_what, env, line) => {
      if ('TEMPORAL_NAMESPACE' in env && env.TEMPORAL_NAMESPACE !== 'nowhere') {
        await makeNamespace(env.TEMPORAL_NAMESPACE ?? '', env.TEMPORAL_NAMESPACE === 'short' ? 1 : 30);
      }
      const { how, lines } = await longhand(['hands'], { TEMPORAL_ADDRESS: temporal.address, ...env });
      expect(how).toBe('ended with exit code 2');
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(line);
    },
    60_000,
  );

  test.each([
    ['none', /no tables of Longhand\. Run `longhand setup`/],
    ['old', /tables of an older Longhand\. Run `longhand setup`/],
    ['new', /tables of a newer Longhand\. Upgrade this one/],
  ] as const)(
    'tables: %s',
    async (state, line) => {
      const env = { TEMPORAL_ADDRESS: temporal.address, DATABASE_URL: await tables(state) };
      const { how, lines } = await longhand(['brain'], env);
      expect(how).toBe('ended with exit code 2');
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(line);
      expect(lines[0]).not.toContain(env.DATABASE_URL);
    },
    60_000,
  );

  test('a secret of another part, and no setting at all', async () => {
    const secret = await longhand(['hands'], { TEMPORAL_ADDRESS: temporal.address, MODEL_API_KEY: 'hush' });
    expect(secret).toEqual({
      how: 'ended with exit code 2',
      lines: [expect.stringMatching(/^hands: longhand hands must not have MODEL_API_KEY \(opens the model provider\)/)],
    });
    const nothing = await longhand(['api'], {});
    expect(nothing.lines).toEqual([expect.stringMatching(/TEMPORAL_ADDRESS is not set/)]);
  }, 60_000);
});

test('setup makes what is missing, says so, changes nothing the second time, and then a part starts', async () => {
  const env = { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: 'fresh', DATABASE_URL: await tables('none') };
  const first = await longhand(['setup'], env);
  expect(first.how).toBe('ended with exit code 0');
  expect(first.lines.join('\n')).toMatch(
    /made the tables[\s\S]*made the namespace "fresh" with 30 days[\s\S]*added the search attributes/,
  );
  const second = await longhand(['setup'], env);
  expect(second.lines.join('\n')).toMatch(
    /up to date[\s\S]*"fresh" keeps closed runs for 30 days[\s\S]*its search attributes are there/,
  );
  const brain = await longhand(['brain'], env);
  expect(brain.lines).toContain('brain ready');
  expect(brain.how).toBe('ended with exit code 0');
}, 120_000);

test('setup leaves the tables of a newer Longhand as they are, and says so with exit code 1', async () => {
  const { how, lines } = await longhand(['setup'], { DATABASE_URL: await tables('new') });
  expect(how).toBe('ended with exit code 1');
  expect(lines).toEqual([expect.stringMatching(/newer Longhand, and were left as they are/)]);
}, 60_000);

describe('doctor', () => {
  test('finds everything that is needed', async () => {
    const env = { TEMPORAL_ADDRESS: temporal.address, DATABASE_URL: await tables('current'), MODEL_API_KEY: 'k' };
    const { how, lines } = await longhand(['doctor', '--json'], env);
    const found = JSON.parse(lines.join('\n')) as { part: string; state: string }[];
    expect(found.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(found.map(({ part }) => part)).toContain('sandbox');
    expect(how).toBe('ended with exit code 0');
  }, 60_000);

  test('names each thing that is missing, with the fix, and ends with 1', async () => {
    const env = { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: 'absent', DATABASE_URL: await tables('old') };
    const { how, lines } = await longhand(['doctor'], { ...env, LONGHAND_RUNSC: '/no/runsc' });
    const text = lines.join('\n');
    expect(how).toBe('ended with exit code 1');
    expect(text).toMatch(/MISSING {2}database .*older Longhand\n +→ Run `longhand setup`/);
    expect(text).toMatch(/MISSING {2}temporal .*no namespace "absent"\n +→ Run `longhand setup`/);
    expect(text).toMatch(/MISSING {2}runsc .*\/no\/runsc cannot be executed\n +→ Correct or unset LONGHAND_RUNSC/);
    expect(text).toMatch(/note {5}model key/);
  }, 60_000);
});
