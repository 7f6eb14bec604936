/** What every child of `longhand dev` does: say that it is ready, and end in order when it is told to. */
import type { RunningWorker } from './brain-worker.ts';

/**
 * Runs a worker as the whole of this process. It ends, with the worker stopped in order, on SIGTERM, on SIGINT, and when
 * the parent is gone (the IPC channel closes whatever the parent died of: a child never outlives it for long).
 * Exit code 0 after an orderly end, 1 with a line on stderr when the worker failed.
 */
export async function runChild(start: () => Promise<RunningWorker>): Promise<never> {
  let stopping = false;
  let worker: RunningWorker | undefined;
  const stop = () => {
    stopping = true;
    worker?.stop().catch(() => undefined);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('disconnect', stop);
  try {
    worker = await start();
    if (stopping) stop();
    process.send?.('ready');
    await worker.done;
    process.exit(0);
  } catch (error) {
    console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exit(1);
  }
}
