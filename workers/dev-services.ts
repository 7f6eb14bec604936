/** The four children of `longhand dev`, as services for the supervisor. */
import { migrateDatabase } from '../store/database.ts';
import { startPostgres } from '../store/postgres/embedded.ts';
import { brainEnv, handsEnv, temporalServerEnv } from './child-env.ts';
import type { HomeLayout } from './data-folder.ts';
import type { Settings } from './settings.ts';
import type { Service } from './supervisor.ts';
import type { TemporalTarget } from './temporal-connection.ts';
import { startTemporalDevServer } from './temporal-dev-server.ts';
import { startWorker } from './worker-process.ts';

export interface DevPlan {
  settings: Settings;
  env: NodeJS.ProcessEnv;
  layout: HomeLayout;
  databaseUrl: string;
  temporal: TemporalTarget & { port: number; uiPort: number };
  /** `runsc` is absent where sandboxes run elsewhere. */
  programs: { temporal: string; runsc?: string };
  /** Gets every line that a child writes. */
  onLog(name: string, line: string): void;
}

export function postgresService({ layout, onLog }: DevPlan): Service {
  return {
    name: 'postgres',
    clearsItself: true,
    start: async () => {
      const server = await startPostgres({ dataDir: layout.postgres, onLog: (line) => onLog('postgres', line) });
      try {
        await migrateDatabase(server.url);
      } catch (error) {
        await server.stop();
        throw error;
      }
      return server;
    },
  };
}

export function temporalService({ layout, programs, temporal, env, onLog }: DevPlan): Service {
  return {
    name: 'temporal',
    start: (onSpawn) =>
      startTemporalDevServer({
        program: programs.temporal,
        dbFile: layout.temporal,
        port: temporal.port,
        uiPort: temporal.uiPort,
        namespace: temporal.namespace,
        env: temporalServerEnv(env),
        onSpawn,
        onLine: (line) => onLog('temporal', line),
      }),
  };
}

export function brainService({ settings, env, layout, temporal, databaseUrl, onLog }: DevPlan): Service {
  return {
    name: 'brain',
    start: (onSpawn) =>
      startWorker({
        name: 'brain',
        env: brainEnv(settings, env, layout, temporal, databaseUrl),
        onSpawn,
        onLine: (line) => onLog('brain', line),
      }),
  };
}

export function handsService({ settings, env, layout, temporal, programs, onLog }: DevPlan): Service {
  return {
    name: 'hands',
    start: (onSpawn) =>
      startWorker({
        name: 'hands',
        // `longhand dev` leaves no process behind.
        args: ['--suspend-on-stop'],
        env: handsEnv(settings, env, layout, temporal, programs.runsc),
        onSpawn,
        onLine: (line) => onLog('hands', line),
      }),
  };
}
