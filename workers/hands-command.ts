/** `longhand hands`: drives the sandboxes of this machine, or of a cluster. Also a child of `longhand dev`. */
import { mkdir } from 'node:fs/promises';
import { openBlobs } from '../store/blobs/open.ts';
import { blobUrl, homeLayout } from './data-folder.ts';
import { openHandsProvider } from './hands-provider.ts';
import { startHands } from './hands-worker.ts';
import { type PartStart, type RunningPart, runPart } from './process-command.ts';
import { reportSandbox, sandboxProblem } from './sandbox-report.ts';
import { SettingsError } from './settings.ts';

/** Saves every sandbox and ends it when the worker stops, for a machine that goes away; else they wait for the next one. */
const SUSPEND = '--suspend-on-stop';

export const handsCommand = (args: string[]) => runPart('hands', args, start);

async function start({ settings, temporal, args, log }: PartStart): Promise<RunningPart> {
  const unknown = args.filter((arg) => arg !== SUSPEND);
  if (unknown.length > 0) throw new SettingsError(`longhand hands knows only ${SUSPEND} (got ${unknown.join(' ')}).`);
  const { hands: folder } = homeLayout(settings.LONGHAND_HOME);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const blobs = await openBlobs(blobUrl(settings));
  const checkpoints = {
    put: async (sessionId: string, body: Parameters<typeof blobs.putStream>[1]) => {
      const name = await blobs.putStream(sessionId, body);
      return { key: name.sha256, ...name };
    },
    get: (sessionId: string, key: string) => blobs.getStream(sessionId, key),
  };
  const { hands, machine, suspend, upkeep } = await openHandsProvider({ settings, folder, checkpoints, log });
  const endReports = await reportSandbox(folder, () => hands.probe());
  const problem = await sandboxProblem(folder, Date.now());
  // There is no unsandboxed mode: without isolation this worker takes no work.
  if (problem !== undefined) throw new Error(problem);
  const end = args.includes(SUSPEND) && suspend ? { beforeClose: suspend } : {};
  const queue = settings.LONGHAND_HANDS_QUEUE;
  const worker = await startHands({ temporal, hands, blobs, machine, upkeep, queue, ...end });
  worker.done.finally(endReports).catch(() => undefined);
  return worker;
}
