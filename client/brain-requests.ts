/** One request to the brain, by way of a small workflow: the only road from a Temporal client to the store. */
import { randomUUID } from 'node:crypto';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import { BRAIN_QUEUE } from '../workflows/contract.ts';
import { REFUSED, type Refused, type ServiceActivities } from '../workflows/service-contract.ts';
import { BrainAwayError, SessionRefusedError } from './errors.ts';

/** Temporal has so much longer than the brain, so that it is known who did not answer, ms. */
const BEYOND_MS = 5_000;

type Requests = Omit<ServiceActivities, 'awaitEnd'>;
type Name = keyof Requests;

export interface AskOptions {
  /** Two who ask the same at once share one answer. Absent: every request is its own. */
  together?: string;
  /** Its answer holds content of a log: Temporal need not keep it once it is read. */
  forget?: boolean;
}

export interface BrainRequests {
  /** @throws SessionRefusedError, BrainAwayError */
  ask<N extends Name>(
    name: N,
    input: Parameters<Requests[N]>[0],
    options?: AskOptions,
  ): Promise<Awaited<ReturnType<Requests[N]>>>;
  /** Resolves when everything that was to be forgotten is. */
  settled(): Promise<void>;
}

/** @param timeoutMs - how long a brain may take. */
export function createBrainRequests(temporal: Client, timeoutMs: number): BrainRequests {
  const forgetting = new Set<Promise<void>>();

  async function forget(workflowId: string, runId: string): Promise<void> {
    const { namespace } = temporal.options;
    await temporal
      .withDeadline(Date.now() + BEYOND_MS, () =>
        temporal.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } }),
      )
      // Retention does the same later; a client may also lack the permission.
      .catch(() => undefined);
  }

  return {
    async ask(name, input, { together, forget: forgettable } = {}) {
      const workflowId = `service/${name}/${together ?? randomUUID()}`;
      return await temporal.withDeadline(Date.now() + timeoutMs + BEYOND_MS, async () => {
        const handle = await temporal.workflow.start(name, {
          workflowId,
          taskQueue: BRAIN_QUEUE,
          args: [input],
          workflowIdConflictPolicy: together === undefined ? 'FAIL' : 'USE_EXISTING',
          workflowExecutionTimeout: timeoutMs,
        });
        try {
          return await handle.result();
        } catch (error) {
          throw meaning(error, name, timeoutMs);
        } finally {
          if (forgettable) {
            const work = forget(workflowId, handle.firstExecutionRunId).finally(() => forgetting.delete(work));
            forgetting.add(work);
          }
        }
      });
    },
    settled: async () => void (await Promise.all(forgetting)),
  };
}

/** Temporal wraps what went wrong several times; one of these is what it means. */
function meaning(error: unknown, name: string, timeoutMs: number): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure && cause.type === REFUSED) {
      return new SessionRefusedError(cause.details?.[0] as Refused);
    }
    if (cause instanceof TimeoutFailure) return new BrainAwayError(name, timeoutMs);
  }
  return error;
}
