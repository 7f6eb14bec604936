import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PostgresVersionError } from './cluster.ts';
import { type EmbeddedPostgres, startPostgres } from './embedded.ts';

let home: string;
const running: EmbeddedPostgres[] = [];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhand-pg-test-'));
});

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  await rm(home, { recursive: true, force: true });
});

async function start(): Promise<EmbeddedPostgres> {
  const server = await startPostgres({ dataDir: join(home, 'postgres') });
  running.push(server);
  return server;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test('what was committed is there after SIGKILL of the server, at the same address', async () => {
  const first = await start();
  await query(first.url, 'create table kept (n int); insert into kept values (7)');
  process.kill(first.pid, 'SIGKILL');
  await first.exited;
  const second = await start();
  expect(second.url).toBe(first.url);
  expect(await query(second.url, 'select n from kept')).toEqual([{ n: 7 }]);
});

test('a server that outlived its parent is stopped, and the new one takes over', async () => {
  const orphan = await start();
  await query(orphan.url, 'create table kept (n int)');
  const next = await start();
  await orphan.exited;
  expect(next.pid).not.toBe(orphan.pid);
  expect(await query(next.url, 'select n from kept')).toEqual([]);
});

test('a stale postmaster.pid that names another program’s process stops nobody', async () => {
  const server = await start();
  await server.stop();
  await writeFile(join(home, 'postgres/postmaster.pid'), `${process.pid}\n/proc/self/fd/3\n`);
  const next = await start();
  expect(await query(next.url, 'select 1 as one')).toEqual([{ one: 1 }]);
});

test('it works below a folder that only its owner may enter, listens on no port, and its folders are private', async () => {
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  const server = await start();
  const folder = new URL(server.url.replace('@/', '@x/')).searchParams.get('host') ?? '';
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await stat(join(home, 'postgres'))).mode & 0o777).toBe(0o700);
  expect(Buffer.byteLength(join(folder, '.s.PGSQL.5432'))).toBeLessThan(108);
  expect(await query(server.url, 'show listen_addresses')).toEqual([{ listen_addresses: '' }]);
  expect(await query(server.url, 'show fsync')).toEqual([{ fsync: 'on' }]);
  const uid = /^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${server.pid}/status`, 'utf8'))?.[1];
  expect(Number(uid)).toBeGreaterThan(0);
});

test('a data folder of another major version is refused with what to do, and left as it is', async () => {
  const server = await start();
  await server.stop();
  const file = join(home, 'postgres/PG_VERSION');
  await writeFile(file, '17\n');
  await expect(start()).rejects.toThrow(PostgresVersionError);
  await expect(start()).rejects.toThrow(/PostgreSQL 17.*pg_dump/);
  expect(await readFile(file, 'utf8')).toBe('17\n');
});

test('a folder with other files in it is not taken for a database', async () => {
  const server = await start();
  await server.stop();
  await rm(join(home, 'postgres/PG_VERSION'));
  await expect(start()).rejects.toThrow(/holds files but no PostgreSQL database/);
});
