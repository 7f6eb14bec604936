/**
 * What other services ask for, each a small workflow of its own beside the sessions, so that a session's history stays
 * its log. Nothing is decided here: one activity on the brain answers, and is asked until it does.
 */
import type { RetryPolicy } from '@temporalio/common';
import {
  ActivityCancellationType,
  CancellationScope,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import { DEFAULT_WORKSPACE, sessionWorkflowId } from '../events/ids.ts';
import type { EventParams } from '../events/wire.ts';
import { BRAIN_QUEUE, POST } from './contract.ts';
import { reason } from './failure-words.ts';
import {
  type AwaitSessionInput,
  REFUSED,
  type RunSessionInput,
  type RunSessionResult,
  type ServiceActivities,
} from './service-contract.ts';

const retry = {
  initialInterval: '200ms',
  backoffCoefficient: 2,
  maximumInterval: '10s',
  nonRetryableErrorTypes: [REFUSED],
} satisfies RetryPolicy;

const asked = proxyActivities<ServiceActivities>({ taskQueue: BRAIN_QUEUE, startToCloseTimeout: '30s', retry });

export const startSession: ServiceActivities['startSession'] = (input) => asked.startSession(input);
export const getSession: ServiceActivities['getSession'] = (input) => asked.getSession(input);
export const getEvents: ServiceActivities['getEvents'] = (input) => asked.getEvents(input);
export const getPart: ServiceActivities['getPart'] = (input) => asked.getPart(input);
export const prepareEvents: ServiceActivities['prepareEvents'] = (input) => asked.prepareEvents(input);

/** A long log takes its time to be read. */
const { wake: woken } = proxyActivities<ServiceActivities>({
  taskQueue: BRAIN_QUEUE,
  startToCloseTimeout: '5m',
  retry,
});
export const wake: ServiceActivities['wake'] = (input) => woken(input);

/**
 * The wait is one activity that holds no worker while it lasts (`activities/session-ends.ts`). Its worker beats for it;
 * when that worker dies, another one takes it up.
 */
const { awaitEnd } = proxyActivities<ServiceActivities>({
  taskQueue: BRAIN_QUEUE,
  heartbeatTimeout: '30s',
  startToCloseTimeout: '30d',
  retry,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** Waits for the end of a session's turn. Cancelling it only ends the wait. */
export async function awaitSession(input: AwaitSessionInput): Promise<RunSessionResult> {
  return await awaitEnd(input);
}

/**
 * Starts a session and waits for the end of its turn. Cancelling it interrupts the session.
 * The session itself is no child: it lives on, whatever becomes of this workflow.
 */
export async function runSession(input: RunSessionInput): Promise<RunSessionResult> {
  const { workflowId, firstExecutionRunId } = workflowInfo();
  // A cancellation that comes in the middle must still know which session to interrupt.
  const { id } = await CancellationScope.nonCancellable(() =>
    asked.startSession({
      workspace: input.workspace ?? DEFAULT_WORKSPACE,
      key: input.idempotency_key ?? `${workflowId}/${firstExecutionRunId}`,
      params: input.session,
      mustBegin: true,
    }),
  );
  try {
    return await awaitEnd({ session_id: id, requires_action: input.requires_action ?? 'wait' });
  } catch (error) {
    if (isCancellation(error)) await CancellationScope.nonCancellable(() => interrupt(id, workflowId));
    throw error;
  }
}

async function interrupt(session: string, because: string): Promise<void> {
  const event: EventParams = { type: 'user.interrupt' };
  try {
    await getExternalWorkflowHandle(sessionWorkflowId(session)).signal(POST, {
      id: `${because}/cancelled`,
      events: [event],
    });
  } catch (error) {
    log.warn('The session could not be interrupted', { session, reason: reason(error) });
  }
}
