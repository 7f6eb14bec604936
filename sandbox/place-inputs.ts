/** Brings a sandbox's read-only files up to date, for every provider whose sandboxes run the tool server. */
import type { Readable } from 'node:stream';
import { type InputFile, SandboxFullError } from './hands.ts';
import { type ToolClient, ToolServerError } from './tool-client.ts';

const INSUFFICIENT_STORAGE = 507;
/** Files on their way at once: a skill has many small ones. */
const AT_ONCE = 4;

/** @throws SandboxFullError when files do not fit. */
export async function placeInputs(
  client: Pick<ToolClient, 'inputs' | 'placeInput' | 'removeInput'>,
  files: InputFile[],
  open: (file: InputFile) => Promise<Readable>,
): Promise<void> {
  const wanted = new Map(files.map((file) => [file.path, file]));
  const present = new Map<string, string>();
  // What goes first: a folder may take a file's place.
  for (const { path, sha256 } of await client.inputs()) {
    if (wanted.has(path)) present.set(path, sha256);
    else await client.removeInput(path);
  }
  const missing = files.filter((file) => present.get(file.path) !== file.sha256);
  const next = missing[Symbol.iterator]();
  const work = async () => {
    for (const file of next) {
      const body = await open(file);
      try {
        await client.placeInput(file, body);
      } catch (error) {
        body.destroy();
        throw error instanceof ToolServerError && error.status === INSUFFICIENT_STORAGE
          ? new SandboxFullError(error.message)
          : error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
