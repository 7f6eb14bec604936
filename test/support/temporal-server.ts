/**
 * The layout of docker-compose.temporal.yml as plain processes: the roles, the schema step and the Temporal server with
 * the very settings of that file. Only addresses and ports differ, and PostgreSQL is reached by its Unix socket.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type Running, startProcess } from '../../workers/child-process.ts';
import { freePort, isFree } from '../../workers/free-port.ts';
import { findProgram } from '../../workers/programs/find-program.ts';
import { TEMPORAL_SERVER, TEMPORAL_SQL_TOOL } from '../../workers/programs/program.ts';
import { connectTemporal } from '../../workers/temporal-connection.ts';
import { type ComposeModel, environmentOf, ROOT, readCompose } from './compose.ts';
import type { TestTemporal } from './temporal.ts';

/** What a person would write into .env. The test's PostgreSQL trusts whoever gets to its socket. */
const ENV_FILE = { POSTGRES_PASSWORD: 'p', TEMPORAL_DB_PASSWORD: 't', LONGHAND_DB_PASSWORD: 'l' };
const READY_MS = 120_000;
/** Ports that the server listens on besides the frontend's, as its configuration names them. */
const PORTS = ['FRONTEND_HTTP', 'HISTORY_GRPC', 'MATCHING_GRPC', 'WORKER_GRPC'].concat(
  ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'].map((service) => `${service}_MEMBERSHIP`),
);

export interface RealServer extends TestTemporal {
  /** Longhand's own database, as the role that may use nothing else. */
  databaseUrl: string;
}

/** @param postgresUrl - of a superuser, over a Unix socket. */
export async function startRealServer(postgresUrl: string): Promise<RealServer> {
  const compose = await readCompose();
  const socket = new URL(postgresUrl.replace('@/', '@socket/')).searchParams.get('host') ?? '';
  await makeRoles(postgresUrl);
  await makeSchema(compose, socket);
  const program = await findProgram(TEMPORAL_SERVER, { onProgress: console.log });
  const port = await freePort();
  const env = await serverEnv(compose, socket, port);
  let server = await launch(program, env, port);
  return {
    address: `127.0.0.1:${port}`,
    databaseUrl: `postgres://longhand_app@/longhand_app?host=${encodeURIComponent(socket)}`,
    async kill() {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    async start() {
      server = await launch(program, env, port);
    },
    stop: () => server.stop(),
  };
}

/** As the postgres image runs it at its first start; psql's own part of the file is done here. */
async function makeRoles(postgresUrl: string): Promise<void> {
  const client = new Client({ connectionString: postgresUrl });
  await client.connect();
  try {
    for (const statement of await roleStatements(ENV_FILE)) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** The statements of roles.sql, with psql's variables filled in. */
export async function roleStatements(given: Record<string, string>): Promise<string[]> {
  const text = await readFile(join(ROOT, 'deploy/postgres/roles.sql'), 'utf8');
  const variables = Object.fromEntries([...text.matchAll(/^\\getenv (\w+) (\w+)$/gm)].map((match) => match.slice(1)));
  const sql = text
    .replaceAll(/^(--|\\).*$/gm, '')
    .replaceAll(/:'(\w+)'/g, (_whole, name: string) => `'${given[variables[name] ?? '']}'`);
  return sql
    .split(';')
    .map((statement) => statement.trim())
    .filter(Boolean);
}

/** The schema step's own script, with the tool built from the same sources as the image's. */
async function makeSchema(compose: ComposeModel, socket: string): Promise<void> {
  const tool = await findProgram(TEMPORAL_SQL_TOOL, { onProgress: console.log });
  const service = compose.services['temporal-schema'] ?? {};
  const env = {
    ...environmentOf(service, ENV_FILE),
    PATH: `${dirname(tool)}:/usr/bin:/bin`,
    // The other driver (lib/pq) does not let an attribute stand above the host, which must not be empty.
    SQL_PLUGIN: 'postgres12_pgx',
    SQL_HOST: '127.0.0.1',
    SQL_CONNECT_ATTRIBUTES: `host=${encodeURIComponent(socket)}`,
  };
  const script = join(ROOT, 'deploy/temporal/schema.sh');
  await promisify(execFile)('/bin/sh', [script], { env, maxBuffer: 16 * 1024 ** 2 });
}

async function serverEnv(compose: ComposeModel, socket: string, port: number): Promise<Record<string, string>> {
  const service = compose.services.temporal ?? {};
  const file = service.volumes?.find(({ target }) => target === service.environment?.DYNAMIC_CONFIG_FILE_PATH);
  const ports = await Promise.all(PORTS.map(async (name) => [`${name}_PORT`, String(await lowPort())]));
  return {
    ...environmentOf(service, ENV_FILE),
    DYNAMIC_CONFIG_FILE_PATH: join(ROOT, file?.source ?? 'the compose file mounts no dynamic configuration'),
    // Without a name of its own the database is where PGHOST says.
    POSTGRES_SEEDS: '',
    PGHOST: socket,
    BIND_ON_IP: '127.0.0.1',
    FRONTEND_GRPC_PORT: String(port),
    ...Object.fromEntries(ports),
    // The test's PostgreSQL takes 100 connections, and Longhand's parts want some too.
    SQL_MAX_CONNS: '10',
    SQL_VIS_MAX_CONNS: '4',
  };
}

/** The server keeps these in a smallint of PostgreSQL: ports that the system gives away are too high. */
async function lowPort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_240, 32_768);
    if (await isFree(port)) return port;
  }
}

async function launch(program: string, env: Record<string, string>, port: number): Promise<Running> {
  const lines: string[] = [];
  const server = await startProcess({
    command: program,
    args: ['start'],
    env,
    stopMs: 20_000,
    onLine(line) {
      lines.push(line);
      if (lines.length > 30) lines.shift();
      if (process.env.LONGHAND_TEST_LOGS) console.log(`temporal-server | ${line}`);
    },
  });
  let ended: string | undefined;
  void server.exited.then((how) => {
    ended = how;
  });
  const fail = async (what: string) => {
    await server.stop();
    throw new Error(`The Temporal server ${what}:\n${lines.join('\n')}`);
  };
  for (const deadline = Date.now() + READY_MS; ; ) {
    if (ended !== undefined) await fail(ended);
    if (Date.now() > deadline) await fail(`was not ready within ${READY_MS / 1_000} s`);
    if (await answers(port)) return server;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The frontend answers before the other services have found one another. */
async function answers(port: number): Promise<boolean> {
  try {
    const connection = await connectTemporal({ address: `127.0.0.1:${port}` }, 2_000);
    try {
      const deadline = Date.now() + 2_000;
      await connection.withDeadline(deadline, () => connection.workflowService.listNamespaces({ pageSize: 1 }));
      const system = { namespace: 'temporal-system', pageSize: 1 };
      await connection.withDeadline(deadline, () => connection.workflowService.listWorkflowExecutions(system));
      return true;
    } finally {
      await connection.close();
    }
  } catch {
    return false;
  }
}
