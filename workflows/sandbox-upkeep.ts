/**
 * Upkeep of sandboxes that are not one machine's: keeps ready ones in stock, and ends those that no session claims. One
 * such workflow per installation, started by its hands workers. It decides nothing: what is there, and what may be given
 * or ended, only the cluster knows; here is only that somebody looks, again and again, whichever worker lives.
 */
import {
  ActivityCancellationType,
  continueAsNew,
  defineSignal,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import type { Stock, UpkeepActivities, UpkeepInput } from './upkeep-contract.ts';
import { STOCK } from './upkeep-contract.ts';

/** Rounds of one run: each is one or two activities. */
const ROUNDS = 100;
/** A round lasts up to half a minute. */
const ROUNDS_PER_REAP = 2;

export async function keepSandboxes(input: UpkeepInput): Promise<void> {
  let { stock } = input;
  setHandler(defineSignal<[Stock]>(STOCK), (wanted) => {
    stock = wanted;
  });
  const hands = proxyActivities<UpkeepActivities>({
    taskQueue: input.queue,
    startToCloseTimeout: '10m',
    heartbeatTimeout: '10s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
  for (let round = 0; round < ROUNDS; round++) {
    await hands.keepStock(stock);
    if (round % ROUNDS_PER_REAP === 0) await hands.reapSandboxes();
  }
  await continueAsNew<typeof keepSandboxes>({ ...input, stock });
}
