/** A worker that ends, or is lost, keeps nobody waiting longer than it must. */
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forgetDeadCache } from './forget-dead-cache.ts';
import { createLastServed, stopWorker, workerIdentity } from './stop-worker.ts';
import { startTestingTemporal, type TestingTemporal } from './testing-temporal.ts';

const WORKFLOWS = 12;
const STOPS = 3;
/** The server hears of a worker 5 s after its start. */
const HEARD_MS = 6_500;

let temporal: TestingTemporal;
let attempts = 0;
beforeAll(async () => {
  temporal = await startTestingTemporal();
}, 900_000);
afterAll(async () => await temporal?.stop());

async function startWorker(taskQueue: string) {
  const { workflowBundle } = temporal;
  const connection = await temporal.connect();
  const served = createLastServed();
  const worker = await Worker.create({
    ...{ connection, workflowBundle, taskQueue, namespace: 'default', identity: workerIdentity() },
    activities: {
      step: async () => undefined,
      async failOnce() {
        if (attempts++ === 0) throw new Error('the first time');
      },
    },
    interceptors: { activity: [served.interceptor, forgetDeadCache(connection, 'default')] },
  });
  const done = worker.run();
  return {
    async stop() {
      await stopWorker(worker, connection, served);
      await done;
      await connection.close();
    },
  };
}

const events = async (workflowId: string) =>
  (await temporal.client.workflow.getHandle(workflowId).fetchHistory()).events ?? [];

test('no task is lost on its way to a worker that is stopped', async () => {
  let worker = await startWorker('stops');
  const ids = Array.from({ length: WORKFLOWS }, (_, i) => `steps-${i}`);
  const handles = await Promise.all(
    ids.map((workflowId) =>
      temporal.client.workflow.start('steps', { workflowId, taskQueue: 'stops', args: [100_000] }),
    ),
  );
  for (let stop = 0; stop < STOPS; stop++) {
    await new Promise((resolve) => setTimeout(resolve, HEARD_MS));
    const next = await startWorker('stops');
    await worker.stop();
    worker = next;
  }
  await new Promise((resolve) => setTimeout(resolve, HEARD_MS));
  await Promise.all(handles.map((handle) => handle.terminate()));
  await worker.stop();
  const lost = (await Promise.all(ids.map(events))).flat().filter((event) => {
    const timedOut = event.workflowTaskTimedOutEventAttributes ?? event.activityTaskTimedOutEventAttributes;
    const again = (event.activityTaskStartedEventAttributes?.attempt ?? 1) > 1;
    return timedOut || again;
  });
  expect(lost).toEqual([]);
}, 120_000);

test('after a second attempt any worker may go on, not only the one that had the workflow in its cache', async () => {
  const worker = await startWorker('retries');
  await temporal.client.workflow.execute('retried', { workflowId: 'retried', taskQueue: 'retries' });
  await worker.stop();
  const queues = (await events('retried')).flatMap((event) => {
    const name = event.workflowTaskScheduledEventAttributes?.taskQueue?.name;
    return name ? [name === 'retries' ? 'any' : 'its own'] : [];
  });
  // At the start; after the first step; after the second attempt; after the last step.
  expect(queues).toEqual(['any', 'its own', 'any', 'its own']);
}, 60_000);
