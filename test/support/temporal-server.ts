/**
 * The layout of docker-compose.temporal.yml as plain processes: PostgreSQL, the production Temporal server, its schema
 * tool with the same script, and the same dynamic configuration.
 */
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type RunningProcess, startProcess } from '../../workers/child-process.ts';
import { isFree } from '../../workers/free-port.ts';
import { findProgram } from '../../workers/programs/find-program.ts';
import { TEMPORAL_SERVER, TEMPORAL_SQL_TOOL } from '../../workers/programs/program.ts';
import { setUpTemporal } from '../../workers/setup-command.ts';
import { startTemporaryPostgres } from './postgres.ts';
import { startProxy } from './proxy.ts';
import type { TestTemporal } from './temporal.ts';

const inDeploy = (name: string) => fileURLToPath(new URL(`../../deploy/temporal/${name}`, import.meta.url));
/** As in the compose file. */
export const HISTORY_SHARDS = 64;
const READY_MS = 120_000;
const SERVICES = ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'] as const;

/** The server keeps its ports as a PostgreSQL smallint: none over 32,767. */
async function lowPort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await isFree(port)) return port;
  }
}

export async function startTestTemporalServer(namespace = 'default'): Promise<TestTemporal> {
  const onProgress = (line: string) => console.log(line);
  const server = await findProgram(TEMPORAL_SERVER, { onProgress });
  const sqlTool = await findProgram(TEMPORAL_SQL_TOOL, { onProgress });
  const postgres = await startTemporaryPostgres();
  // The embedded PostgreSQL has a Unix socket only; the server's configuration knows host and port only.
  const folder = new URL(postgres.url.replace('@/', '@localhost/')).searchParams.get('host');
  const database = await startProxy({ path: `${folder}/.s.PGSQL.5432` });
  const [, databasePort = ''] = database.address.split(':');
  const env: Record<string, string> = {
    ...{ HOME: process.env.HOME ?? '', PATH: `${dirname(sqlTool)}:${process.env.PATH}` },
    ...{ DB: 'postgres12', POSTGRES_SEEDS: '127.0.0.1', DB_PORT: databasePort, POSTGRES_USER: 'longhand' },
    ...{
      POSTGRES_PWD: 'unused',
      SQL_PASSWORD: 'unused',
      NUM_HISTORY_SHARDS: String(HISTORY_SHARDS),
      LOG_LEVEL: 'error',
    },
    ...{ DYNAMIC_CONFIG_FILE_PATH: inDeploy('dynamic-config.yaml'), BIND_ON_IP: '127.0.0.1', FRONTEND_HTTP_PORT: '0' },
  };
  for (const service of SERVICES) {
    env[`${service}_GRPC_PORT`] = String(await lowPort());
    env[`${service}_MEMBERSHIP_PORT`] = String(await lowPort());
  }
  await promisify(execFile)('/bin/sh', [inDeploy('setup-schema.sh')], { env });
  const address = `127.0.0.1:${env.FRONTEND_GRPC_PORT}`;
  let running: RunningProcess;
  const start = async () => {
    const last: string[] = [];
    running = await startProcess({
      command: server,
      args: ['start'],
      env,
      stopMs: 20_000,
      onLine: (line) => {
        last.push(line);
        if (last.length > 20) last.shift();
      },
    });
    let ended: string | undefined;
    void running.exited.then((how) => {
      ended = how;
    });
    for (const deadline = Date.now() + READY_MS; ; ) {
      if (ended !== undefined) throw new Error(`The Temporal server ${ended}:\n${last.join('\n')}`);
      try {
        await setUpTemporal({ address, namespace }, () => undefined);
        return;
      } catch (error) {
        if (Date.now() > deadline)
          throw new Error(`The Temporal server was not ready:\n${last.join('\n')}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  };
  await start();
  return {
    address,
    start,
    async kill() {
      running.child.kill('SIGKILL');
      await running.exited;
    },
    async stop() {
      await running.stop();
      await database.close();
      await postgres.remove();
    },
  };
}
