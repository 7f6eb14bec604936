/** `longhand sessions files list|get`: files out of a session's sandbox, while Longhand runs. */
import { createWriteStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { blobFolder, homeLayout, StartError } from './data-folder.ts';
import { openSessionFiles } from './open-session-files.ts';
import { readSettings } from './settings.ts';
import { temporalTarget } from './temporal-connection.ts';

const USAGE = `Usage:
  longhand sessions files list SESSION [FOLDER]        what is in a folder (default /mnt/session/outputs)
  longhand sessions files get SESSION FILE [TO]        copy a file out (default: its name, here; - is stdout)`;
const DEFAULT_FOLDER = '/mnt/session/outputs';

interface Place {
  address: string;
  namespace: string;
}

export async function sessionsCommand(args: string[]): Promise<number> {
  const [what, verb, session, path, to] = args;
  if (what !== 'files' || (verb !== 'list' && verb !== 'get') || !session || (verb === 'get' && !path)) {
    console.error(USAGE);
    return 2;
  }
  const settings = readSettings(process.env);
  const layout = homeLayout(settings.LONGHAND_HOME);
  const temporal = temporalTarget(process.env) ?? (await readPlace(layout.run));
  const files = await openSessionFiles(temporal, blobFolder(settings));
  try {
    if (verb === 'list') {
      for (const file of await files.list(session, path ?? DEFAULT_FOLDER)) {
        console.log(
          `${file.type.padEnd(9)} ${String(file.bytes).padStart(12)}  ${file.modifiedAt}  ${printable(file.path)}`,
        );
      }
    } else if (path) {
      const body = await files.get(session, path);
      if (to === '-') await pipeline(body, process.stdout, { end: false });
      else {
        const target = to ?? basename(path);
        // Never over a file that is there: the name came out of a sandbox.
        await pipeline(body, createWriteStream(target, { flags: to ? 'w' : 'wx' }));
        console.error(`${path} → ${target}`);
      }
    }
    return 0;
  } finally {
    await files.close();
  }
}

/** A name from a sandbox may hold anything; a terminal must not obey it. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (char) => `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`);
}

/** Leaves word of where this Longhand's Temporal server is, for commands that run beside it. */
export async function writePlace(runFolder: string, place: Place): Promise<void> {
  await writeFile(join(runFolder, 'temporal.json'), JSON.stringify(place), { mode: 0o600 });
}

async function readPlace(runFolder: string): Promise<Place> {
  try {
    return JSON.parse(await readFile(join(runFolder, 'temporal.json'), 'utf8')) as Place;
  } catch {
    throw new StartError(
      `Nothing in ${runFolder} says where Temporal is: start Longhand with the same LONGHAND_HOME, or set TEMPORAL_ADDRESS.`,
    );
  }
}
