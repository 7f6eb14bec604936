/** The name of this machine's sandboxes in task queues. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Made once for a folder of sandboxes and kept in it: whoever has the folder can reach them. (A host's own id would be
 * the same on machines that were copied from one image.)
 */
export async function machineName(file: string): Promise<string> {
  const kept = await read(file);
  if (kept) return kept;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${randomBytes(6).toString('hex')}\n`, { mode: 0o600 });
  // Two workers may start at once: the first link stands, and both read it.
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  const name = await read(file);
  if (!name) throw new Error(`${file} is empty. Remove it, then start again.`);
  return name;
}

async function read(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.trim() || undefined;
}
