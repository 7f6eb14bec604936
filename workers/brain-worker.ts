/** The brain: runs the session workflows and the model requests. It has the model key and the database, and no hands. */
import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { createGradeStep } from '../activities/grade.ts';
import { createModelClient, type ModelSettings } from '../activities/model-client.ts';
import { createModelSlots } from '../activities/model-slots.ts';
import { createPublish } from '../activities/publish.ts';
import { createRecordOutputs } from '../activities/record-outputs.ts';
import { createRounds } from '../activities/rounds.ts';
import { createSample } from '../activities/sample.ts';
import type { ModelCatalogue } from '../api/index.ts';
import { openBlobs } from '../store/blobs/open.ts';
import { createPostgresBus } from '../store/bus-postgres.ts';
import { openDatabase } from '../store/database.ts';
import { createLogStore } from '../store/log-postgres.ts';
import { createSegments } from '../store/segments.ts';
import { sessionAgentOf } from '../store/session-agents.ts';
import { BRAIN_QUEUE } from '../workflows/contract.ts';
import { createBrainService } from './brain-service.ts';
import { forgetDeadCache } from './forget-dead-cache.ts';
import type { RunningPart } from './process-command.ts';
import type { SessionDefaults } from './session-defaults.ts';
import { createLastServed, stopWorker, workerIdentity } from './stop-worker.ts';
import { connectWorker, type TemporalTarget } from './temporal-connection.ts';
import { payloadConverterPath, workflowBundle } from './workflow-bundle.ts';

export interface BrainOptions {
  temporal: TemporalTarget;
  databaseUrl: string;
  blobUrl: string;
  model: ModelSettings;
  models: ModelCatalogue;
  /** For sessions that other services start, and those that are woken. */
  defaults: SessionDefaults;
  onError(error: Error): void;
  /** Absent: the workflows are bundled here (about 2 s). */
  bundle?: WorkflowBundle;
}

/** Activities at once; the rest is for `publish`, which is short. */
const ACTIVITY_SLOTS = 500;
const MODEL_REQUESTS = 450;

export async function startBrain(options: BrainOptions): Promise<RunningPart> {
  const database = openDatabase(options.databaseUrl, { connections: 20, onError: options.onError });
  const bus = createPostgresBus(options.databaseUrl, database.pool, options.onError);
  const blobs = await openBlobs(options.blobUrl);
  const log = createLogStore(database.pool);
  const rounds = createRounds();
  const segments = createSegments(database.pool, log, blobs);
  const model = createModelClient(options.model);
  const agentOf = sessionAgentOf(database.pool);
  const slots = createModelSlots(MODEL_REQUESTS);
  const connection = await connectWorker(options.temporal);
  const { models, defaults, onError } = options;
  const { namespace } = options.temporal;
  const parts = { connection, namespace, database, log, blobs, bus, segments, models, defaults, onError };
  const service = createBrainService(parts);
  const served = createLastServed();
  const worker = await Worker.create({
    connection,
    namespace,
    identity: workerIdentity(),
    taskQueue: BRAIN_QUEUE,
    workflowBundle: options.bundle ?? (await workflowBundle()),
    dataConverter: { payloadConverterPath },
    activities: {
      sample: createSample({
        log,
        blobs,
        bus,
        rounds,
        model,
        agentOf,
        modelSpec: options.models.find,
        slots,
      }),
      gradeStep: createGradeStep({
        log,
        blobs,
        model,
        agentOf,
        modelSpec: options.models.find,
        slots,
      }),
      publish: createPublish({ log, blobs, bus, segments, rounds }),
      ...service.activities,
      recordOutputs: createRecordOutputs(database.orm, blobs),
    },
    interceptors: { activity: [served.interceptor, forgetDeadCache(connection, namespace)] },
    // A session that lost its worker must not wait for the dead one's sticky queue (default 10 s).
    stickyQueueScheduleToStartTimeout: '2s',
    maxCachedWorkflows: 500,
    maxConcurrentWorkflowTaskExecutions: 40,
    maxConcurrentActivityTaskExecutions: ACTIVITY_SLOTS,
    maxHeartbeatThrottleInterval: '1s',
    // Then what still runs is handed over, which takes a moment; the whole stop takes 30 s at most.
    shutdownGraceTime: '25s',
  });
  const done = worker.run().finally(async () => {
    await service.close();
    await connection.close();
    await bus.close();
    await database.close();
  });
  done.catch(() => undefined);
  return {
    done,
    takesWork: () => worker.getState() === 'RUNNING',
    async stop() {
      await stopWorker(worker, connection, served);
      await done;
    },
  };
}
