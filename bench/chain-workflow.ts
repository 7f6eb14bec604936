/** The yardstick: a bare chain of activities that do nothing, as fast as Temporal goes on this machine. */
import { condition, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';

const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({ startToCloseTimeout: '10s', taskQueue: 'bench' });

/** Runs `steps` activities one after the other and returns how long each took, ms by the workflow's clock. */
export async function chain(steps: number): Promise<number> {
  for (let i = 0; i < steps; i++) await nothing();
  return steps;
}

/** Takes updates that change nothing, until told to stop. */
export async function updates(): Promise<void> {
  let stop = false;
  setHandler(defineUpdate<void, [boolean]>('touch'), (last) => {
    stop = last;
  });
  await condition(() => stop);
}
