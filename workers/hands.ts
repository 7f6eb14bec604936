/** Process entry of the hands: `longhand hands`, or a child of `longhand dev`. Settings come from the environment. */
import { join } from 'node:path';
import { createGvisorHands } from '../sandbox/gvisor/hands.ts';
import { openLocalBlobs } from '../store/blobs/local.ts';
import { homeLayout } from './data-folder.ts';
import { startHands } from './hands-worker.ts';
import { runWorkerProcess } from './process-life.ts';
import { cacheFolder } from './programs/cache.ts';
import { reportSandbox, sandboxProblem } from './sandbox-report.ts';
import { readSettings } from './settings.ts';

await runWorkerProcess('hands', async (log) => {
  const settings = readSettings(process.env);
  const { TEMPORAL_ADDRESS: temporalAddress, LONGHAND_RUNSC: runsc } = settings;
  if (!temporalAddress) throw new Error('The hands need TEMPORAL_ADDRESS. `longhand dev` sets it for its own.');
  if (!runsc) throw new Error('The hands need LONGHAND_RUNSC. `longhand dev` finds or builds it for its own.');
  const layout = homeLayout(settings.LONGHAND_HOME);
  const blobs = await openLocalBlobs(layout.blobs);
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
  // `longhand dev` leaves no process behind; alone, sandboxes wait for the next hands worker.
  const end = process.connected ? { beforeClose: () => hands.suspendAll() } : {};
  const worker = await startHands({ temporalAddress, namespace: settings.TEMPORAL_NAMESPACE, hands, blobs, ...end });
  worker.done.finally(endReports).catch(() => undefined);
  return worker;
});
