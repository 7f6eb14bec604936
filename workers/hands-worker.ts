/** The hands worker: drives sandboxes. It has no model key and no database, only the blob store. */
import { Client, WorkflowNotFoundError } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createHandsActivities } from '../activities/hands.ts';
import { createUpkeepActivities } from '../activities/sandbox-upkeep.ts';
import type { Hands } from '../sandbox/hands.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { BRAIN_QUEUE, HANDS_QUEUE, machineQueue } from '../workflows/contract.ts';
import { KEEP_SANDBOXES, STOCK, type Stock, type UpkeepInput } from '../workflows/upkeep-contract.ts';
import type { HandsProvider } from './hands-provider.ts';
import type { RunningPart } from './process-command.ts';
import { stopWorker, workerIdentity } from './stop-worker.ts';
import { connectTemporal, connectWorker, type TemporalTarget } from './temporal-connection.ts';

export interface HandsOptions {
  temporal: TemporalTarget;
  hands: Hands;
  blobs: Blobs;
  /**
   * Name of the machine, where only its own workers can reach the sandboxes that they make: calls for those come by a
   * queue of its own, which all workers of this machine share.
   */
  machine?: string;
  /** Where sandboxes are not one machine's. */
  upkeep?: HandsProvider['upkeep'];
  /** Runs when no more work is taken, before the connections to sandboxes are closed. */
  beforeClose?(): Promise<void>;
  /** Task queue of the targets that this worker serves; default `hands`. */
  queue?: string;
}

export async function startHands(options: HandsOptions): Promise<RunningPart> {
  const { temporal, hands, blobs, machine, queue = HANDS_QUEUE } = options;
  const connection = await connectWorker(temporal);
  const own = machine === undefined ? undefined : machineQueue(queue, machine);
  const client =
    options.upkeep && new Client({ connection: await connectTemporal(temporal), namespace: temporal.namespace });
  const upkeep = options.upkeep && client && createUpkeepActivities(options.upkeep.of, (id) => isRunning(client, id));
  const activities = { ...createHandsActivities(hands, blobs, own), ...upkeep };
  // One for both: the server knows the workers of one connection by one name.
  const identity = workerIdentity();
  const create = (taskQueue: string) =>
    Worker.create({
      connection,
      namespace: temporal.namespace,
      identity,
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
      await client?.connection.close();
      await options.beforeClose?.();
      await hands.close();
    });
  done.catch(() => undefined);
  if (options.upkeep && client) await beginUpkeep(client, options.upkeep, queue);
  return {
    done,
    takesWork: () => workers.every((worker) => worker.getState() === 'RUNNING'),
    async stop() {
      await Promise.all(workers.map((worker) => stopWorker(worker, connection)));
      await done;
    },
  };
}

/**
 * One upkeep for all workers of an installation that serve the same queue: the newest says what is to be in stock. Workers
 * of another queue may be of another cluster, or alone.
 */
async function beginUpkeep(
  client: Client,
  { of, installation }: NonNullable<HandsProvider['upkeep']>,
  queue: string,
): Promise<void> {
  const { size, template } = of.stock;
  const stock: Stock = { size, template };
  await client.workflow.signalWithStart(KEEP_SANDBOXES, {
    workflowId: `sandboxes/${installation}${queue === HANDS_QUEUE ? '' : `/${queue}`}`,
    taskQueue: BRAIN_QUEUE,
    args: [{ stock, queue } satisfies UpkeepInput],
    signal: STOCK,
    signalArgs: [stock],
  });
}

async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
