/** The hands worker: drives sandboxes. It has no model key and no database, only the blob store. */
import { Worker } from '@temporalio/worker';
import { createHandsActivities } from '../activities/hands.ts';
import type { Hands } from '../sandbox/hands.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { HANDS_QUEUE } from '../workflows/contract.ts';
import type { RunningPart } from './process-command.ts';
import { connectWorker, type TemporalTarget } from './temporal-connection.ts';

export interface HandsOptions {
  temporal: TemporalTarget;
  hands: Hands;
  blobs: Blobs;
  /** Runs when no more work is taken, before the connections to sandboxes are closed. */
  beforeClose?(): Promise<void>;
  /** Task queue of this worker's target; default `hands`. */
  queue?: string;
}

export async function startHands(options: HandsOptions): Promise<RunningPart> {
  const connection = await connectWorker(options.temporal);
  const worker = await Worker.create({
    connection,
    namespace: options.temporal.namespace,
    taskQueue: options.queue ?? HANDS_QUEUE,
    activities: { ...createHandsActivities(options.hands, options.blobs) },
    maxConcurrentActivityTaskExecutions: 200,
    maxHeartbeatThrottleInterval: '1s',
    // A running call is in its sandbox's journal: the next worker attaches to it, so there is nothing to wait for.
    shutdownGraceTime: '2s',
  });
  const done = worker.run().finally(async () => {
    await connection.close();
    await options.beforeClose?.();
    await options.hands.close();
  });
  done.catch(() => undefined);
  return {
    done,
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await done;
    },
  };
}
