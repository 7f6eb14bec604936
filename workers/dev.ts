/**
 * `longhand dev`: everything on one machine. A parent, which is the api, and four supervised children: PostgreSQL, a
 * Temporal dev server, a brain and a hands worker. This file only puts them together.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type PartHealth, startApi } from '../api/index.ts';
import { newObjectId } from '../events/ids.ts';
import { assertSandboxPossible } from '../sandbox/gvisor/preflight.ts';
import { migrateDatabase } from '../store/database.ts';
import { DEFAULT_WORKSPACE, ensureApiKey } from '../store/keys.ts';
import { embeddedDatabaseUrl } from '../store/postgres/embedded.ts';
import { apiLog, bareHost, openApiParts } from './api-parts.ts';
import { type ChildLog, openChildLog } from './child-log.ts';
import { apiKeyOf, blobUrl, type HomeLayout, openDataFolder, StartError } from './data-folder.ts';
import { brainService, type DevPlan, handsService, postgresService, temporalService } from './dev-services.ts';
import { freePort, isFree } from './free-port.ts';
import { endOrphans } from './orphans.ts';
import { forgetApiPlace, writeApiPlace, writeTemporalPlace } from './places.ts';
import { findRunsc, findTemporal } from './programs/find-program.ts';
import type { Settings } from './settings.ts';
import { type ServiceEvent, supervise } from './supervisor.ts';
import { loadServedTargets } from './targets-file.ts';
import { type TemporalTarget, temporalTarget } from './temporal-connection.ts';
import { examineGivenTemporal } from './temporal-given.ts';

export interface DevOptions {
  settings: Settings;
  /** Where HOME, PATH and their like come from; never handed on as a whole. */
  env: NodeJS.ProcessEnv;
  /** Gets lines for a person: what is being obtained, what died and was started again. */
  onLine(line: string): void;
}

export interface Dev {
  apiUrl: string;
  apiKey: string;
  /** The key was made by this start: nobody has seen it yet. */
  apiKeyMade: boolean;
  databaseUrl: string;
  temporal: TemporalTarget & { uiUrl: string | undefined };
  layout: HomeLayout;
  /** Process id of a child that runs now: `postgres`, `temporal`, `brain` or `hands`. */
  pid(name: string): number | undefined;
  /** Stops everything in order and leaves no process. Safe to repeat. */
  stop(): Promise<void>;
}

const PREFERRED_TEMPORAL_PORT = 7233;
const PREFERRED_UI_PORT = 8233;

type End = () => Promise<void>;

/**
 * Starts everything and resolves when the api answers.
 * @throws StartError and SandboxImpossibleError (exit code 2) when this machine, folder or port will not do; other errors
 *   when a part does not start. Whatever was started is stopped again.
 */
export async function startDev(options: DevOptions): Promise<Dev> {
  const { settings } = options;
  if (settings.LONGHAND_SANDBOX === 'gvisor') await assertSandboxPossible(settings.LONGHAND_HOME);
  await loadServedTargets(settings);
  await refuseUsedPort(settings);
  const { layout, lock } = await openDataFolder(settings.LONGHAND_HOME);
  const ends: End[] = [async () => lock.release()];
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= (async () => {
      for (const end of ends.splice(0).reverse()) await end();
    })();
    return stopping;
  };
  try {
    return { ...(await startParts(options, layout, ends)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function refuseUsedPort({ LONGHAND_HOST: host, LONGHAND_PORT: port }: Settings): Promise<void> {
  if (port === 0 || (await isFree(port, host))) return;
  throw new StartError(
    `Port ${port} of ${host} is in use. Stop the program that listens there, or set LONGHAND_PORT to another port (0: any free one).`,
  );
}

async function startParts(options: DevOptions, layout: HomeLayout, ends: End[]): Promise<Omit<Dev, 'stop'>> {
  const { settings, onLine } = options;
  for (const name of await endOrphans(layout.run)) onLine(`Ended the ${name} process of an earlier run.`);
  const logs = await openLogs(layout, ends);
  const plan = await planOf(options, layout, (name, line) => logs[name]?.write(line));
  if (settings.DATABASE_URL) await migrateDatabase(settings.DATABASE_URL);
  const given = temporalTarget(options.env);
  if (given) {
    const warning = await examineGivenTemporal(given);
    if (warning) onLine(warning);
  }
  const servers = [
    ...(settings.DATABASE_URL ? [] : [postgresService(plan)]),
    ...(given ? [] : [temporalService(plan)]),
  ];
  const workers = [brainService(plan), handsService(plan)];
  const supervisor = await supervise([servers, workers], {
    runFolder: layout.run,
    onEvent: (event) => {
      logs[event.name]?.write(describe(event));
      if (event.kind !== 'started') onLine(describe(event));
    },
  });
  ends.push(() => supervisor.stop());
  await writeTemporalPlace(layout.run, { address: plan.temporal.address, namespace: plan.temporal.namespace });
  const children = [...servers, ...workers].map(({ name }) => name);
  const api = await serveApi(options, plan, ends, () => problemsOf(children, supervisor.pids()));
  const uiUrl = given ? undefined : `http://127.0.0.1:${plan.temporal.uiPort}`;
  return {
    ...api,
    databaseUrl: plan.databaseUrl,
    temporal: { ...plan.temporal, uiUrl },
    layout,
    pid: (name) => supervisor.pids()[name],
  };
}

/** Everything that must be known before the first child starts: programs, ports, addresses. */
async function planOf(options: DevOptions, layout: HomeLayout, onLog: DevPlan['onLog']): Promise<DevPlan> {
  const { settings, env, onLine } = options;
  const given = temporalTarget(env);
  const find = { env, onProgress: onLine };
  // One after the other: two Go builds at once on a small machine take longer than both.
  const temporalProgram = given ? '' : await findTemporal(find);
  const runsc = settings.LONGHAND_SANDBOX === 'gvisor' ? await findRunsc(find) : undefined;
  const anyPort = settings.LONGHAND_PORT === 0;
  const port = await freePort(anyPort ? 0 : PREFERRED_TEMPORAL_PORT);
  const uiPort = await freePort(anyPort ? 0 : PREFERRED_UI_PORT);
  await mkdir(layout.postgres, { recursive: true, mode: 0o700 });
  return {
    settings,
    env,
    layout,
    databaseUrl: settings.DATABASE_URL ?? (await embeddedDatabaseUrl(layout.postgres)),
    temporal: { ...(given ?? { address: `127.0.0.1:${port}`, namespace: settings.TEMPORAL_NAMESPACE }), port, uiPort },
    programs: { temporal: temporalProgram, runsc },
    onLog,
  };
}

async function openLogs(layout: HomeLayout, ends: End[]): Promise<Record<string, ChildLog>> {
  const logs: Record<string, ChildLog> = {};
  for (const name of ['postgres', 'temporal', 'brain', 'hands']) {
    logs[name] = await openChildLog(join(layout.home, 'logs'), name);
  }
  ends.push(async () => {
    await Promise.all(Object.values(logs).map((log) => log.close()));
  });
  return logs;
}

async function serveApi(
  { settings }: DevOptions,
  { layout, databaseUrl, temporal }: DevPlan,
  ends: End[],
  knownProblems: () => Record<string, PartHealth>,
): Promise<Pick<Dev, 'apiUrl' | 'apiKey' | 'apiKeyMade'>> {
  const log = apiLog();
  const parts = await openApiParts({
    ...{ settings, databaseUrl, temporal, log, knownProblems },
    ...{ blobUrl: blobUrl(settings), handsFolder: layout.hands },
  });
  ends.push(() => parts.close());
  const { key, made } = await apiKeyOf(layout, settings.LONGHAND_API_KEY);
  const id = newObjectId('apikey', parts.deps.now(), parts.deps.random);
  const row = { id, workspaceId: DEFAULT_WORKSPACE, name: 'default', now: new Date() };
  await ensureApiKey(parts.deps.database.orm, key, row);
  const server = await startApi(parts.deps, { host: bareHost(settings.LONGHAND_HOST), port: settings.LONGHAND_PORT });
  ends.push(() => server.close());
  await writeApiPlace(layout.run, server.url);
  ends.push(() => forgetApiPlace(layout.run));
  return { apiUrl: server.url, apiKey: key, apiKeyMade: made };
}

/** A dead worker still counts as polling for a while at Temporal; here it is known at once. */
function problemsOf(children: string[], pids: Record<string, number>): Record<string, PartHealth> {
  const names: Record<string, string> = { postgres: 'database' };
  const down = children.filter((name) => pids[name] === undefined);
  return Object.fromEntries(
    down.map((name) => [names[name] ?? name, { ok: false, reason: 'its process ended and is being started again' }]),
  );
}

function describe(event: ServiceEvent): string {
  switch (event.kind) {
    case 'started':
      return `${event.name} runs as process ${event.pid} (ready after ${event.ms} ms).`;
    case 'ended':
      return `${event.name} ${event.how}; starting it again.`;
    case 'failed':
      return `${event.name} could not be started: ${event.error.message}\nTrying again in ${event.retryMs / 1_000} s.`;
  }
}
