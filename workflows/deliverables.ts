/**
 * Brings a session's outputs out of its sandbox: the hands find what is new and store its bytes, the brain makes files
 * of it. One look at a time; the session shows idle after `waitMs` at the latest, and the rest goes on beside it.
 */
import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';
import { deliverableWork } from './activities.ts';
import type { SessionInput } from './contract.ts';
import { isGone, reason } from './failure-words.ts';
import type { Command } from './reducer/draft.ts';
import type { StepInput } from './reducer/step.ts';
import type { SessionState } from './state.ts';

/** What the session's shell lends to this part of it. */
export interface DeliverablesHost {
  state(): SessionState;
  dispatch(event: StepInput): void;
  /** Activities are out; and back. */
  begin(): void;
  end(): void;
}

type Collect = Extract<Command, { do: 'collect' }>;

/** @returns does what a `collect` command says; resolves when its outcome has been dispatched. */
export function createDeliverables(input: SessionInput, host: DeliverablesHost): (command: Collect) => Promise<void> {
  let running: Promise<void> | undefined;

  async function collect({ turn, changes, since }: Collect): Promise<void> {
    const { ref } = host.state().sandbox;
    const { outputs } = input.settings;
    const nothing: StepInput = { in: 'collected', turn, changes, problems: [] };
    if (!ref || !outputs || host.state().ended) return host.dispatch(nothing);
    const { collectOutputs, recordOutputs } = deliverableWork(input.handsQueue);
    try {
      const { list, problems } = await collectOutputs({ ref, limits: outputs, ...(since ? { since } : {}) });
      if (list) await recordOutputs({ session: input.session, list });
      host.dispatch({ ...nothing, problems, ...(list ? { list } : {}) });
    } catch (error) {
      if (isCancellation(error)) return;
      const why = isGone(error) ? 'the sandbox has ended.' : reason(error);
      host.dispatch({ ...nothing, problems: [why] });
    }
  }

  /** Until the outcome is there, or the session has ended: then nobody wants it any more. */
  async function run(command: Collect): Promise<void> {
    const scope = new CancellationScope({ cancellable: true });
    host.begin();
    try {
      const work = scope.run(() => collect(command));
      await Promise.race([work, condition(() => host.state().ended !== null)]);
      if (host.state().ended) scope.cancel();
    } finally {
      host.end();
    }
  }

  return async (command) => {
    const limit = new CancellationScope({ cancellable: true });
    const waited = limit
      .run(() => sleep(command.waitMs))
      .then(() => host.dispatch({ in: 'collectLate', turn: command.turn }))
      .catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
    while (running) await running;
    running = run(command).finally(() => {
      running = undefined;
    });
    await running;
    limit.cancel();
    await waited;
  };
}
