/**
 * Brings a session's outputs out of its sandbox: the hands find what is new and store its bytes, the brain makes files
 * of it. One look at a time; the session shows idle after `waitMs` at the latest, and the rest goes on beside it.
 */
import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';
import { deliverableWork, routeOf } from './activities.ts';
import type { SessionInput } from './contract.ts';
import { isGone, reason } from './failure-words.ts';
import type { Command } from './reducer/draft.ts';
import type { StepInput } from './reducer/step.ts';
import type { SessionHost } from './session-host.ts';

type Collect = Extract<Command, { do: 'collect' }>;

/** @returns does what a `collect` command says; resolves when its outcome has been dispatched. */
export function createDeliverables(input: SessionInput, host: SessionHost): (command: Collect) => Promise<void> {
  let running: Promise<void> | undefined;

  /** @returns the outcome, also of a failure; undefined when nobody waits for it any more. */
  async function collect({ turn, changes }: Collect): Promise<StepInput | undefined> {
    const { ref } = host.state().sandbox;
    const { outputs } = input.settings;
    const nothing = { in: 'collected' as const, turn, changes, problems: [] };
    if (!ref || !outputs || host.state().ended) return nothing;
    const { collectOutputs, recordOutputs } = deliverableWork(routeOf(input, ref));
    // Not from the command: an earlier look may have ended since it was given.
    const since = host.state().outputs?.list;
    try {
      const { list, problems } = await collectOutputs({ ref, limits: outputs, ...(since ? { since } : {}) });
      if (list) await recordOutputs({ session: input.session, list });
      return { ...nothing, problems, ...(list ? { list } : {}) };
    } catch (error) {
      if (isCancellation(error)) return undefined;
      return { ...nothing, problems: [isGone(error) ? 'the sandbox has ended.' : reason(error)] };
    }
  }

  /** Until the outcome is there, or the session has ended: then nobody wants it any more. */
  async function run(command: Collect): Promise<void> {
    const work = new CancellationScope({ cancellable: true });
    const watch = new CancellationScope({ cancellable: true });
    const ended = watch.run(() => condition(() => host.state().ended !== null)).catch(ignoreCancellation);
    host.begin();
    try {
      const outcome = await Promise.race([work.run(() => collect(command)), ended]);
      // Here and not inside: what follows from it must not belong to a scope that ends.
      if (outcome) host.dispatch(outcome);
      else work.cancel();
    } finally {
      watch.cancel();
      await ended;
      host.end();
    }
  }

  return async (command) => {
    const limit = new CancellationScope({ cancellable: true });
    const waited = limit
      .run(() => sleep(command.waitMs))
      .then(() => host.dispatch({ in: 'collectLate', turn: command.turn }))
      .catch(ignoreCancellation);
    while (running) await running;
    running = run(command).finally(() => {
      running = undefined;
    });
    await running;
    limit.cancel();
    await waited;
  };
}

function ignoreCancellation(error: unknown): undefined {
  if (!isCancellation(error)) throw error;
}
