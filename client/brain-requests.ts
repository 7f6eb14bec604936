/** One request to the brain, by way of a small workflow: the only road from a Temporal client to the store. */
import { randomUUID } from 'node:crypto';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, TimeoutFailure } from '@temporalio/common';
import { BRAIN_QUEUE } from '../workflows/contract.ts';
import { REFUSED, type Refused, type ServiceActivities } from '../workflows/service-contract.ts';
import { BrainAwayError, SessionRefusedError } from './errors.ts';

/** Waking reads the whole log, ms. */
const WAKE_MS = 300_000;
/** Temporal has so much longer than the brain, so that it is known who did not answer, ms. */
const BEYOND_MS = 5_000;

type Requests = Omit<ServiceActivities, 'awaitEnd'>;

/**
 * @param together - two who ask the same at once share one answer; absent: every request is its own.
 * @throws SessionRefusedError, BrainAwayError
 */
export type AskBrain = <N extends keyof Requests>(
  name: N,
  input: Parameters<Requests[N]>[0],
  together?: string,
) => Promise<Awaited<ReturnType<Requests[N]>>>;

/** @param timeoutMs - how long a brain may take. */
export function askBrain(temporal: Client, timeoutMs: number): AskBrain {
  return (name, input, together) => {
    const ms = name === 'wake' ? Math.max(timeoutMs, WAKE_MS) : timeoutMs;
    return temporal.withDeadline(Date.now() + ms + BEYOND_MS, async () => {
      try {
        return await temporal.workflow.execute(name, {
          workflowId: `service/${name}/${together ?? randomUUID()}`,
          taskQueue: BRAIN_QUEUE,
          args: [input],
          workflowIdConflictPolicy: together === undefined ? 'FAIL' : 'USE_EXISTING',
          workflowExecutionTimeout: ms,
        });
      } catch (error) {
        throw meaning(error, name, ms);
      }
    });
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
