/** `longhand hands`: drives the sandboxes of this machine. Also a child of `longhand dev`. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createGvisorHands } from '../sandbox/gvisor/hands.ts';
import { assertSandboxPossible } from '../sandbox/gvisor/preflight.ts';
import { openBlobs } from '../store/blobs/open.ts';
import { blobUrl, homeLayout } from './data-folder.ts';
import { startHands } from './hands-worker.ts';
import { machineName } from './machine-name.ts';
import { type PartStart, type RunningPart, runPart } from './process-command.ts';
import { cacheFolder } from './programs/cache.ts';
import { findRunsc } from './programs/find-program.ts';
import { reportSandbox, sandboxProblem } from './sandbox-report.ts';
import { SettingsError } from './settings.ts';

/** Saves every sandbox and ends it when the worker stops, for a machine that goes away; else they wait for the next one. */
const SUSPEND = '--suspend-on-stop';

export const handsCommand = (args: string[]) => runPart('hands', args, start);

async function start({ settings, temporal, args, log }: PartStart): Promise<RunningPart> {
  const unknown = args.filter((arg) => arg !== SUSPEND);
  if (unknown.length > 0) throw new SettingsError(`longhand hands knows only ${SUSPEND} (got ${unknown.join(' ')}).`);
  await assertSandboxPossible(settings.LONGHAND_HOME);
  const runsc = settings.LONGHAND_RUNSC ?? (await findRunsc({ env: process.env, onProgress: log }));
  const layout = homeLayout(settings.LONGHAND_HOME);
  await mkdir(layout.hands, { recursive: true, mode: 0o700 });
  const blobs = await openBlobs(blobUrl(settings));
  const hands = createGvisorHands({
    runsc,
    nodeBinary: process.execPath,
    stateDir: join(layout.hands, 'gvisor'),
    cacheDir: cacheFolder(),
    checkpoints: {
      put: async (sessionId, body) => {
        const name = await blobs.putStream(sessionId, body);
        return { key: name.sha256, ...name };
      },
      get: (sessionId, key) => blobs.getStream(sessionId, key),
    },
    ...(settings.LONGHAND_ROOTFS ? { rootfs: settings.LONGHAND_ROOTFS } : {}),
    log,
  });
  const endReports = await reportSandbox(layout.hands, () => hands.probe());
  const problem = await sandboxProblem(layout.hands, Date.now());
  // There is no unsandboxed mode: without isolation this worker takes no work.
  if (problem !== undefined) throw new Error(problem);
  const end = args.includes(SUSPEND) ? { beforeClose: () => hands.suspendAll() } : {};
  const machine = await machineName(join(layout.hands, 'machine'));
  const worker = await startHands({ temporal, hands, blobs, machine, ...end });
  worker.done.finally(endReports).catch(() => undefined);
  return worker;
}
