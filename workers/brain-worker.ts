/** The brain: runs the session workflows and the model requests. It has the model key and the database, and no hands. */
import { NativeConnection, Worker, type WorkflowBundle } from '@temporalio/worker';
import { createModelClient, type ModelSettings } from '../activities/model-client.ts';
import { createPublish } from '../activities/publish.ts';
import { createRecordOutputs } from '../activities/record-outputs.ts';
import { createSample } from '../activities/sample.ts';
import type { ModelSpec } from '../harness/model-spec.ts';
import { openLocalBlobs } from '../store/blobs/local.ts';
import { createPostgresBus } from '../store/bus-postgres.ts';
import { openDatabase } from '../store/database.ts';
import { createLogStore } from '../store/log-postgres.ts';
import { createSegments } from '../store/segments.ts';
import { sessionAgentOf } from '../store/session-agents.ts';
import { BRAIN_QUEUE } from '../workflows/contract.ts';
import { payloadConverterPath, workflowBundle } from './workflow-bundle.ts';

export interface BrainOptions {
  temporalAddress: string;
  namespace: string;
  databaseUrl: string;
  blobFolder: string;
  model: ModelSettings;
  modelSpec(id: string): ModelSpec;
  onError(error: Error): void;
  /** Absent: the workflows are bundled here (about 2 s). */
  bundle?: WorkflowBundle;
}

export interface RunningWorker {
  /** Ends after the activities have been handed over or finished, within 30 s. */
  stop(): Promise<void>;
  /** Settles when the worker has ended; rejects when it failed. */
  done: Promise<void>;
}

export async function startBrain(options: BrainOptions): Promise<RunningWorker> {
  const database = openDatabase(options.databaseUrl, { connections: 20, onError: options.onError });
  const bus = createPostgresBus(options.databaseUrl, database.pool, options.onError);
  const blobs = await openLocalBlobs(options.blobFolder);
  const log = createLogStore(database.pool);
  const segments = createSegments(database.pool, log, blobs);
  const connection = await NativeConnection.connect({ address: options.temporalAddress });
  const worker = await Worker.create({
    connection,
    namespace: options.namespace,
    taskQueue: BRAIN_QUEUE,
    workflowBundle: options.bundle ?? (await workflowBundle()),
    dataConverter: { payloadConverterPath },
    activities: {
      sample: createSample({
        log,
        blobs,
        bus,
        model: createModelClient(options.model),
        agentOf: sessionAgentOf(database.pool),
        modelSpec: options.modelSpec,
      }),
      publish: createPublish({ log, blobs, bus, segments }),
      recordOutputs: createRecordOutputs(database.orm, blobs),
    },
    // A session that lost its worker must not wait for the dead one's sticky queue (default 10 s).
    stickyQueueScheduleToStartTimeout: '2s',
    maxCachedWorkflows: 500,
    maxConcurrentWorkflowTaskExecutions: 40,
    maxConcurrentActivityTaskExecutions: 500,
    maxHeartbeatThrottleInterval: '1s',
    shutdownGraceTime: '30s',
  });
  const done = worker.run().finally(async () => {
    await connection.close();
    await bus.close();
    await database.close();
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
