/** The yardstick: what bare Temporal does on this machine, on the same server, in the same run. */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { type Figure, figure, single, timed } from './figures.ts';
import type { Bench } from './subject.ts';
import type { World } from './world.ts';

const STEPS = 100;
/** Chains at once, and steps of each, for the throughput. */
const CHAINS = 32;
const CROWD_STEPS = 25;

export interface Yardstick {
  /** One step of a chain of activities that do nothing, ms, p50. */
  stepMs: number;
  /** Activities a second of 32 chains at once. */
  activitiesPerSecond: number;
  figures: Figure[];
}

export async function yardstick(bench: Bench): Promise<Figure[]> {
  return (await bench.yardstick()).figures;
}

export async function measureYardstick({ stack }: World): Promise<Yardstick> {
  const logger = new DefaultLogger('WARN');
  Runtime.install({ logger });
  const workflowsPath = fileURLToPath(new URL('./chain-workflow.ts', import.meta.url));
  const connection = await NativeConnection.connect({ address: stack.temporal.address });
  const worker = await Worker.create({
    connection,
    taskQueue: 'bench',
    workflowBundle: await bundleWorkflowCode({ workflowsPath, logger }),
    activities: { nothing: async () => undefined },
  });
  const running = worker.run();
  const { workflow } = stack.temporalClient;
  const chain = (id: string, steps: number) =>
    workflow.execute('chain', { workflowId: id, taskQueue: 'bench', args: [steps] });
  try {
    await chain('chain warm', 10);
    const chains = await timed(4, (i) => chain(`chain ${i}`, STEPS));
    const step = figure(
      'yardstick: a step of a bare chain of activities',
      chains.map((ms) => ms / STEPS),
    );
    const handle = await workflow.start('updates', { workflowId: 'updates', taskQueue: 'bench' });
    await handle.executeUpdate('touch', { args: [false] });
    const updates = await timed(50, () => handle.executeUpdate('touch', { args: [false] }));
    await handle.executeUpdate('touch', { args: [true] });
    const began = performance.now();
    await Promise.all(Array.from({ length: CHAINS }, (_, i) => chain(`crowd ${i}`, CROWD_STEPS)));
    const perSecond = (CHAINS * CROWD_STEPS) / ((performance.now() - began) / 1_000);
    return {
      stepMs: step.p50,
      activitiesPerSecond: perSecond,
      figures: [
        step,
        figure('yardstick: a bare update', updates),
        single(`yardstick: activities of ${CHAINS} bare chains at once`, perSecond, '1/s'),
      ],
    };
  } finally {
    worker.shutdown();
    await running;
    await connection.close();
  }
}
