/** Upkeep of sandboxes, as activities of the hands. */
import { Context } from '@temporalio/activity';
import { sessionWorkflowId } from '../events/ids.ts';
import type { Stock, UpkeepActivities } from '../workflows/upkeep-contract.ts';
import { beating } from './beat.ts';

/** What a provider offers whose sandboxes are not one machine's. */
export interface Upkeep {
  /** What this worker keeps ready. */
  readonly stock: Stock & {
    /** Makes it whole, and again whenever something is taken from it, for `ms` at least. */
    keep(ms: number, signal: AbortSignal): Promise<void>;
  };
  /**
   * Ends sandboxes older than `ms` that belong to no live session, or of which the session has a newer one.
   * @param isLive - whether a session may still use a sandbox.
   */
  reap(ms: number, isLive: (sessionId: string) => Promise<boolean>): Promise<number>;
}

const ROUND_MS = 30_000;
/** A sandbox may be made before its session's workflow says so. */
const YOUNG_MS = 120_000;

/** @param isRunning - whether there is an open workflow with this id. */
export function createUpkeepActivities(
  upkeep: Upkeep,
  isRunning: (workflowId: string) => Promise<boolean>,
): UpkeepActivities {
  const pause = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ROUND_MS);
      const end = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener('abort', end, { once: true });
    });
  return {
    keepStock: ({ size, template }) =>
      beating(async () => {
        const { cancellationSignal: signal } = Context.current();
        // Another worker's: it has been updated, or we have, and the other has not.
        if (size === 0 || template !== upkeep.stock.template) await pause(signal);
        else await upkeep.stock.keep(ROUND_MS, signal);
      }),
    reapSandboxes: () => beating(() => upkeep.reap(YOUNG_MS, (session) => isRunning(sessionWorkflowId(session)))),
  };
}
