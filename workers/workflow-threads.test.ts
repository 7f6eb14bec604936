/** What the threads of workflows do without, and what must hold all the same. */
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestingTemporal, type TestingTemporal } from './testing-temporal.ts';
import { collectStackTraces } from './workflow-threads.ts';

let temporal: TestingTemporal;
beforeAll(async () => {
  temporal = await startTestingTemporal();
}, 900_000);
afterAll(async () => {
  collectStackTraces(true);
  await temporal?.stop();
});

test('an activation that never ends fails by itself, and other workflows go on', async () => {
  collectStackTraces(false);
  const { client, workflowBundle } = temporal;
  const connection = await temporal.connect();
  const worker = await Worker.create({ connection, workflowBundle, taskQueue: 'threads' });
  await worker.runUntil(async () => {
    const endless = await client.workflow.start('endless', { workflowId: 'endless', taskQueue: 'threads' });
    const failure = async () => {
      const { events } = await endless.fetchHistory();
      const failed = events?.find((event) => event.workflowTaskFailedEventAttributes);
      return failed?.workflowTaskFailedEventAttributes?.failure?.message ?? '';
    };
    await expect.poll(failure, { timeout: 30_000 }).toMatch(/timed out after 5000ms/);
    const short = client.workflow.execute('short', { workflowId: 'short', taskQueue: 'threads' });
    expect(await short).toBe('done');
    await endless.terminate();
  });
  await connection.close();
}, 90_000);
