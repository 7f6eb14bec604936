/** Where a running Longhand is: it leaves word in its data folder, for the commands that run beside it. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from './data-folder.ts';
import type { TemporalTarget } from './temporal-connection.ts';

type TemporalPlace = Pick<TemporalTarget, 'address' | 'namespace'>;

export async function writeTemporalPlace(runFolder: string, place: TemporalPlace): Promise<void> {
  await writeFile(join(runFolder, 'temporal.json'), JSON.stringify(place), { mode: 0o600 });
}

/** @throws StartError when nothing is said there. */
export async function readTemporalPlace(runFolder: string): Promise<TemporalPlace> {
  try {
    return JSON.parse(await readFile(join(runFolder, 'temporal.json'), 'utf8')) as TemporalPlace;
  } catch {
    throw new StartError(
      `Nothing in ${runFolder} says where Temporal is: start Longhand with the same LONGHAND_HOME, or set TEMPORAL_ADDRESS.`,
    );
  }
}

export async function writeApiPlace(runFolder: string, url: string): Promise<void> {
  await writeFile(apiPlace(runFolder), JSON.stringify({ url }), { mode: 0o600 });
}

/** Whoever listens there later must not be sent the API key. */
export async function forgetApiPlace(runFolder: string): Promise<void> {
  await rm(apiPlace(runFolder), { force: true });
}

/** The API's base URL; undefined when none runs there. */
export async function readApiPlace(runFolder: string): Promise<string | undefined> {
  const text = await readFile(apiPlace(runFolder), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as { url: string }).url;
}

function apiPlace(runFolder: string): string {
  return join(runFolder, 'api.json');
}
