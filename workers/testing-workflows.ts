/** Workflows of the tests of this folder. */
import { proxyActivities } from '@temporalio/workflow';

const { step, failOnce } = proxyActivities<{ step(): Promise<void>; failOnce(): Promise<void> }>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms' },
});

/** Its first activation never ends. */
export async function endless(): Promise<never> {
  for (;;);
}

/** In one activation, and again when it is replayed. */
export async function short(): Promise<string> {
  return 'done';
}

/** One activity after the other. */
export async function steps(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await step();
}

/** An activity that takes two attempts, between two others. */
export async function retried(): Promise<void> {
  await step();
  await failOnce();
  await step();
}
