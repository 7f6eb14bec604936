/** `longhand sessions files list|get`: files out of a session's sandbox, while Longhand runs. */
import { createWriteStream } from 'node:fs';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { printableLine } from '../client/command-line/printable.ts';
import { blobUrl, homeLayout } from './data-folder.ts';
import { openSessionFiles } from './open-session-files.ts';
import { readTemporalPlace } from './places.ts';
import { readSettings } from './settings.ts';
import { temporalTarget } from './temporal-connection.ts';

const USAGE = `Usage:
  longhand sessions files list SESSION [FOLDER]        what is in a folder (default /mnt/session/outputs)
  longhand sessions files get SESSION FILE [TO]        copy a file out (default: its name, here; - is stdout)`;
const DEFAULT_FOLDER = '/mnt/session/outputs';

/** @param args - after `files`. */
export async function sessionFilesCommand(args: string[]): Promise<number> {
  const [verb, session, path, to] = args;
  if (verb === '--help' || verb === '-h') {
    console.log(USAGE);
    return 0;
  }
  if ((verb !== 'list' && verb !== 'get') || !session || (verb === 'get' && !path)) {
    console.error(USAGE);
    return 2;
  }
  const settings = readSettings(process.env);
  const layout = homeLayout(settings.LONGHAND_HOME);
  const temporal = temporalTarget(process.env) ?? (await readTemporalPlace(layout.run));
  const files = await openSessionFiles(temporal, blobUrl(settings));
  try {
    if (verb === 'list') {
      for (const file of await files.list(session, path ?? DEFAULT_FOLDER)) {
        console.log(
          `${file.type.padEnd(9)} ${String(file.bytes).padStart(12)}  ${file.modifiedAt}  ${printableLine(file.path)}`,
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
