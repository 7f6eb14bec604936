/** The checks of `longhand doctor`. Each looks at one thing, within seconds, and changes nothing. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { assertSandboxPossible } from '../sandbox/gvisor/preflight.ts';
import { blobFolder } from './data-folder.ts';
import { loadModels } from './models-file.ts';
import { cachedPath } from './programs/cache.ts';
import { isExecutable, onPath } from './programs/executable.ts';
import { type Program, RUNSC, TEMPORAL } from './programs/program.ts';
import { databaseProblem, LEAST_RETENTION_DAYS, messageOf, temporalProblem } from './readiness.ts';
import { readSettings, type Settings } from './settings.ts';
import { connectTemporal, temporalTarget } from './temporal-connection.ts';
import { namespaceRetentionDays, RETENTION_DAYS } from './temporal-namespace.ts';

export interface Finding {
  part: string;
  /** `note`: works, but somebody should know. */
  state: 'ok' | 'note' | 'missing';
  /** What was found. */
  what: string;
  /** What to do, when something is to be done. */
  fix?: string;
}

type Check = (settings: Settings, env: NodeJS.ProcessEnv) => Promise<Omit<Finding, 'part'>>;

const CHECKS: Record<string, Check> = {
  node: async () => ({ state: 'ok', what: `Node ${process.versions.node}` }),
  'data folder': dataFolder,
  'blob store': blobStore,
  database,
  temporal,
  sandbox,
  runsc: (_settings, env) => program(RUNSC, env, env.LONGHAND_RUNSC),
  'model key': modelKey,
  models,
};

/** All findings, in a fixed order. Wrong settings are the only finding when there are any. */
export async function findings(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  let settings: Settings;
  try {
    settings = readSettings(env);
    temporalTarget(env);
  } catch (error) {
    return [{ part: 'settings', state: 'missing', what: messageOf(error), fix: 'See docs/settings.md.' }];
  }
  return await Promise.all(
    Object.entries(CHECKS).map(async ([part, check]): Promise<Finding> => {
      const found = await check(settings, env).catch((error: unknown) => ({
        ...{ state: 'missing' as const, what: messageOf(error) },
      }));
      return { part, ...found };
    }),
  );
}

async function dataFolder({ LONGHAND_HOME: home }: Settings): ReturnType<Check> {
  const there = await stat(home).catch(() => undefined);
  const writable = await access(there ? home : dirname(home), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!writable)
    return { state: 'missing', what: `${home} cannot be written`, fix: 'Set LONGHAND_HOME to a folder of yours.' };
  return { state: 'ok', what: there ? home : `${home} (made at the first start)` };
}

async function blobStore(settings: Settings): ReturnType<Check> {
  const folder = blobFolder(settings);
  const there = await stat(folder).catch(() => undefined);
  if (there && !there.isDirectory())
    return { state: 'missing', what: `${folder} is no folder`, fix: 'Set BLOB_URL to a folder.' };
  return { state: 'ok', what: there ? folder : `${folder} (made at the first start)` };
}

async function database({ DATABASE_URL: url }: Settings): ReturnType<Check> {
  if (!url) return { state: 'ok', what: 'embedded, in the data folder' };
  const problem = await databaseProblem(url);
  return problem === undefined
    ? { state: 'ok', what: 'DATABASE_URL answers, its tables are up to date' }
    : asMissing(problem);
}

async function temporal(_settings: Settings, env: NodeJS.ProcessEnv): ReturnType<Check> {
  const target = temporalTarget(env);
  if (!target) return await program(TEMPORAL, env);
  const connection = await connectTemporal(target, 5_000).catch((error: unknown) => {
    throw new Error(
      `The Temporal server at ${target.address} does not answer: ${messageOf(error)}. Check TEMPORAL_ADDRESS.`,
    );
  });
  try {
    const problem = await temporalProblem(connection, target);
    if (problem !== undefined) return asMissing(problem);
    const days = (await namespaceRetentionDays(connection, target.namespace)) ?? 0;
    const what = `${target.address}, namespace "${target.namespace}", ${days} days’ retention`;
    if (days >= RETENTION_DAYS) return { state: 'ok', what };
    return {
      state: 'note',
      what,
      fix: `${LEAST_RETENTION_DAYS} days are enough; \`longhand setup\` makes it ${RETENTION_DAYS}.`,
    };
  } finally {
    await connection.close();
  }
}

/** "What is wrong. What to do." in its two parts. */
function asMissing(problem: string): Omit<Finding, 'part'> {
  const at = problem.indexOf('. ');
  return at < 0
    ? { state: 'missing', what: problem }
    : { state: 'missing', what: problem.slice(0, at), fix: problem.slice(at + 2) };
}

async function sandbox({ LONGHAND_HOME: home }: Settings): ReturnType<Check> {
  await assertSandboxPossible(home);
  return { state: 'ok', what: 'this machine can isolate sandboxes' };
}

/** Where a program would be taken from at the next start. */
async function program(wanted: Program, env: NodeJS.ProcessEnv, given?: string): ReturnType<Check> {
  if (given) {
    if (await isExecutable(given)) return { state: 'ok', what: given };
    return { state: 'missing', what: `${given} cannot be executed`, fix: 'Correct or unset LONGHAND_RUNSC.' };
  }
  const there = await onPath(wanted.name, env);
  if (there) return { state: 'ok', what: there };
  const cached = cachedPath(wanted);
  if (await isExecutable(cached)) return { state: 'ok', what: cached };
  const what = `${wanted.name} ${wanted.version} is not on PATH and not in the cache`;
  const go = await onPath('go', env);
  const fix = `Run \`longhand obtain\`: it downloads it${go ? ', or builds it with Go' : ' (there is no Go here to build it)'}.`;
  return { state: 'note', what, fix };
}

async function modelKey({ MODEL_API_KEY: key, MODEL_BASE_URL: url }: Settings): ReturnType<Check> {
  if (key) return { state: 'ok', what: `set, for ${url}` };
  return {
    state: 'note',
    what: 'MODEL_API_KEY is not set: turns end with an authentication error',
    fix: 'Set it where the brain runs.',
  };
}

async function models({ LONGHAND_MODELS: file }: Settings): ReturnType<Check> {
  await loadModels(file);
  return { state: 'ok', what: file ?? 'the built-in list' };
}
