/** The hands worker: drives sandboxes. It has no model key and no database, only the blob store. */
import { Worker } from '@temporalio/worker';
import { createHandsActivities } from '../activities/hands.ts';
import type { Hands } from '../sandbox/hands.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { HANDS_QUEUE, machineQueue } from '../workflows/contract.ts';
import type { RunningPart } from './process-command.ts';
import { connectWorker, type TemporalTarget } from './temporal-connection.ts';

export interface HandsOptions {
  temporal: TemporalTarget;
  hands: Hands;
  blobs: Blobs;
  /**
   * Name of the machine, where only its own workers can reach the sandboxes that they make: calls for those come by a
   * queue of its own, which all workers of this machine share.
   */
  machine?: string;
  /** Runs when no more work is taken, before the connections to sandboxes are closed. */
  beforeClose?(): Promise<void>;
  /** Task queue of this worker's target; default `hands`. */
  queue?: string;
}

export async function startHands(options: HandsOptions): Promise<RunningPart> {
  const { temporal, hands, blobs, machine, queue = HANDS_QUEUE } = options;
  const connection = await connectWorker(temporal);
  const own = machine === undefined ? undefined : machineQueue(queue, machine);
  const activities = { ...createHandsActivities(hands, blobs, own) };
  const create = (taskQueue: string) =>
    Worker.create({
      connection,
      namespace: temporal.namespace,
      taskQueue,
      activities,
      maxConcurrentActivityTaskExecutions: 200,
      maxHeartbeatThrottleInterval: '1s',
      // A running call is in its sandbox's journal: the next worker attaches to it, so there is nothing to wait for.
      shutdownGraceTime: '2s',
    });
  const workers = await Promise.all([queue, ...(own ? [own] : [])].map(create));
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const done = Promise.all(
    // One that fails takes the other with it: half a worker would look like a whole one.
    workers.map((worker) => worker.run().finally(stop)),
  )
    .then(() => undefined)
    .finally(async () => {
      await connection.close();
      await options.beforeClose?.();
      await hands.close();
    });
  done.catch(() => undefined);
  return {
    done,
    async stop() {
      stop();
      await done;
    },
  };
}
