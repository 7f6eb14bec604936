/** Looking for executables. */
import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The first executable of this name on PATH. Relative entries are left out: they change with the working folder. */
export async function onPath(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (!folder.startsWith('/')) continue;
    if (await isExecutable(join(folder, name))) return join(folder, name);
  }
  return undefined;
}
