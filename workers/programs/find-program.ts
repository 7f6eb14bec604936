/** Finding a program, in the order: PATH, cache, official download (once, quickly), `go build`. */
import { cachedPath, installOnce } from './cache.ts';
import { download } from './download.ts';
import { isExecutable, onPath } from './executable.ts';
import { goBuild } from './go-build.ts';
import { type Program, RUNSC, TEMPORAL } from './program.ts';

export interface FindOptions {
  /** Default: the process's own. Only PATH, HOME, XDG_CACHE_HOME, LONGHAND_RUNSC and what `go` reads are looked at. */
  env?: NodeJS.ProcessEnv;
  /** Gets lines for people: what is being obtained, and every 10 s how long it has taken. */
  onProgress: (line: string) => void;
  /** Default: the user's cache folder. */
  cache?: string;
}

/** Thrown when a program is nowhere and cannot be made. The message lists what was tried and says what to do. */
export class ProgramNotFoundError extends Error {
  override name = 'ProgramNotFoundError';
}

/** Path of a `temporal` executable. */
export async function findTemporal(options: FindOptions): Promise<string> {
  return await findProgram(TEMPORAL, options);
}

/**
 * Path of a `runsc` executable.
 * @throws ProgramNotFoundError also when LONGHAND_RUNSC names a file that cannot be executed: what a person names is
 *   never replaced by something else.
 */
export async function findRunsc(options: FindOptions): Promise<string> {
  const given = (options.env ?? process.env).LONGHAND_RUNSC;
  if (!given) return await findProgram(RUNSC, options);
  if (await isExecutable(given)) return given;
  throw new ProgramNotFoundError(
    `LONGHAND_RUNSC is "${given}", which is not an executable file. Give the path of a runsc program, or unset it.`,
  );
}

/** Where the program is on this machine now, or undefined: nothing is downloaded or built. */
export async function locateProgram(
  program: Program,
  { env = process.env, cache }: Omit<FindOptions, 'onProgress'> = {},
): Promise<string | undefined> {
  const there = await onPath(program.name, env);
  if (there !== undefined) return there;
  const cached = cachedPath(program, cache);
  return (await isExecutable(cached)) ? cached : undefined;
}

/** Programs that are only built with Go (COMPOSE_SPEC, TEMPORAL_SERVER) are found by this too. @throws ProgramNotFoundError */
export async function findProgram(program: Program, options: FindOptions): Promise<string> {
  const { env = process.env, onProgress } = options;
  const there = await locateProgram(program, options);
  if (there !== undefined) return there;
  onProgress(`Obtaining ${program.name} ${program.version} (${program.purpose}), once for this user.`);
  return await installOnce(program, (path) => produce(program, path, env, onProgress), options);
}

async function produce(
  program: Program,
  path: string,
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<void> {
  const tried: string[] = [];
  if (program.downloadUrl !== undefined) {
    try {
      await download(program, path, onProgress);
      return;
    } catch (error) {
      tried.push(`- download: ${messageOf(error)}`);
      onProgress(`${program.name}: ${messageOf(error)}`);
    }
  }
  try {
    await goBuild(program, path, env, onProgress);
    return;
  } catch (error) {
    tried.push(`- go build: ${messageOf(error)}`);
  }
  throw new ProgramNotFoundError(
    `${program.name} (${program.purpose}) is not on PATH, not in the cache, and could not be obtained:\n` +
      `${tried.join('\n')}\nWhat to do: install Go 1.26 or newer and try again, or ${program.otherWay}.`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
