/** How many model requests one worker has open, those of agents and of graders together. */
import { ApplicationFailure } from '@temporalio/common';

/** One request too many asks again so much later; another brain may have room. ms */
const FULL_MS = 500;

export interface ModelSlots {
  /**
   * Runs `work` if there is room.
   * @param otherwise - done before the request is sent away.
   * @throws ApplicationFailure, to be retried, when there is none.
   */
  run<T>(work: () => Promise<T>, otherwise?: () => Promise<unknown>): Promise<T>;
}

/** @param most - fewer than the worker's slots for activities, so that publishing never waits for a model. */
export function createModelSlots(most: number): ModelSlots {
  let open = 0;
  return {
    async run(work, otherwise) {
      if (open >= most) {
        await otherwise?.();
        throw ApplicationFailure.create({
          message: `This brain has ${open} open model requests; the next one is free for another.`,
          type: 'BrainFull',
          nextRetryDelay: FULL_MS,
          details: [],
        });
      }
      open += 1;
      try {
        return await work();
      } finally {
        open -= 1;
      }
    },
  };
}
