/** Where programs are kept, and how one gets there: whole or not at all, and made by one process at a time. */
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { waitForLock } from '../lock.ts';
import { isExecutable } from './executable.ts';
import type { Program } from './program.ts';

/** `$XDG_CACHE_HOME/longhand`, or `~/.cache/longhand`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'longhand');
}

/** Where this version of the program is, or will be. */
export function cachedPath(program: Program, cache = cacheFolder()): string {
  return join(cache, `${program.name}-${program.version}-${process.arch}`, program.name);
}

/**
 * Returns the cached program; when it is not there, `produce` makes it in a folder of its own and it is moved into place.
 * Two processes do not make it at once: the second waits and takes what the first made.
 * @param produce - leaves the executable at the path that it is given.
 */
export async function installOnce(
  program: Program,
  produce: (path: string) => Promise<void>,
  { cache = cacheFolder(), onProgress }: { cache?: string; onProgress: (line: string) => void },
): Promise<string> {
  const path = cachedPath(program, cache);
  if (await isExecutable(path)) return path;
  await mkdir(cache, { recursive: true, mode: 0o755 });
  const lock = await waitForLock(join(cache, `.${program.name}-${program.version}.lock`), () =>
    onProgress(`Another process is obtaining ${program.name} ${program.version}: waiting for it.`),
  );
  try {
    if (await isExecutable(path)) return path;
    const draft = await mkdtemp(join(cache, `.${program.name}-`));
    try {
      await produce(join(draft, program.name));
      await chmod(join(draft, program.name), 0o755);
      await chmod(draft, 0o755);
      await rm(join(path, '..'), { recursive: true, force: true });
      await rename(draft, join(path, '..'));
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return path;
  } finally {
    lock.release();
  }
}
