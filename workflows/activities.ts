/** The activities a session asks for, with their time limits and retries (design section 5). */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { SandboxRef, SandboxSpec } from '../sandbox/hands.ts';
import { BRAIN_QUEUE, type BrainActivities, type HandsActivities, type SessionInput } from './contract.ts';

/** Faults of infrastructure: asked again silently, soon, for as long as it takes. */
const RETRY = { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' } as const;

/**
 * A worker that died is missed this soon: a session goes on within 6 s of it. The work beats every 1.2 s. A server without
 * our settings (deploy/temporal/dynamic-config.yaml) is up to a second late.
 */
const MISSED_AFTER = '4s';

/** The model request. `summary` is shown in the Temporal UI. */
export function sample(summary: string): BrainActivities['sample'] {
  return proxyActivities<BrainActivities>({
    taskQueue: BRAIN_QUEUE,
    heartbeatTimeout: MISSED_AFTER,
    startToCloseTimeout: '15m',
    retry: RETRY,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary,
  }).sample;
}

/** One request to a grader. */
export function gradeStep(summary: string): BrainActivities['gradeStep'] {
  return proxyActivities<BrainActivities>({
    taskQueue: BRAIN_QUEUE,
    heartbeatTimeout: '10s',
    startToCloseTimeout: '15m',
    retry: RETRY,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary,
  }).gradeStep;
}

/** Readers see nothing new of a session before it has ended: of its worker's death too they must not wait long. */
export const { publish } = proxyActivities<BrainActivities>({
  taskQueue: BRAIN_QUEUE,
  heartbeatTimeout: MISSED_AFTER,
  startToCloseTimeout: '1m',
  retry: RETRY,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** Which workers do it, and how long it waits for one of them. */
export interface HandsRoute {
  taskQueue: string;
  /** ms */
  waitMs: number;
}

/** A task waits so long for a worker of its target: until a person may have started one. ms */
const TARGET_WAIT_MS = 900_000;

/** To any hands worker of the session's target; with `ref` to those that can reach that sandbox. */
export function routeOf(
  { handsQueue, settings }: Pick<SessionInput, 'handsQueue' | 'settings'>,
  ref?: SandboxRef,
): HandsRoute {
  return ref?.queue === undefined
    ? { taskQueue: handsQueue, waitMs: TARGET_WAIT_MS }
    : { taskQueue: ref.queue, waitMs: settings.machineWaitMs };
}

/** Which sandbox it is to be: the target and image that the session was given when it was made. */
export function kindOf({
  target,
  image,
}: Pick<SessionInput, 'target' | 'image'>): Pick<SandboxSpec, 'target' | 'image'> {
  return { ...(target === undefined ? {} : { target }), ...(image === undefined ? {} : { image }) };
}

/** @param deadlineMs - the call's own deadline. */
export function execute(
  { taskQueue, waitMs }: HandsRoute,
  deadlineMs: number,
  summary: string,
): HandsActivities['execute'] {
  return proxyActivities<HandsActivities>({
    taskQueue,
    heartbeatTimeout: MISSED_AFTER,
    startToCloseTimeout: deadlineMs + 60_000,
    scheduleToCloseTimeout: 2 * deadlineMs + 600_000,
    scheduleToStartTimeout: waitMs,
    retry: RETRY,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary,
  }).execute;
}

/** Making and checkpointing a sandbox take long and beat. */
export function sandboxWork({
  taskQueue,
  waitMs,
}: HandsRoute): Pick<HandsActivities, 'provision' | 'bringIn' | 'checkpoint' | 'release'> {
  return proxyActivities<HandsActivities>({
    taskQueue,
    heartbeatTimeout: '10s',
    startToCloseTimeout: '5m',
    scheduleToCloseTimeout: '15m',
    scheduleToStartTimeout: waitMs,
    retry: RETRY,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}

export function stopCalls({ taskQueue }: HandsRoute): HandsActivities['stopCalls'] {
  return proxyActivities<HandsActivities>({
    taskQueue,
    startToCloseTimeout: '5s',
    scheduleToCloseTimeout: '10s',
    retry: RETRY,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  }).stopCalls;
}

/** Bringing outputs out: the hands read and store them, then the brain makes files of them. */
export function deliverableWork({
  taskQueue,
  waitMs,
}: HandsRoute): Pick<HandsActivities, 'collectOutputs'> & Pick<BrainActivities, 'recordOutputs'> {
  const cancellationType = ActivityCancellationType.TRY_CANCEL;
  const { collectOutputs } = proxyActivities<HandsActivities>({
    taskQueue,
    heartbeatTimeout: '10s',
    startToCloseTimeout: '10m',
    scheduleToCloseTimeout: '20m',
    scheduleToStartTimeout: waitMs,
    retry: RETRY,
    cancellationType,
  });
  const { recordOutputs } = proxyActivities<BrainActivities>({
    taskQueue: BRAIN_QUEUE,
    startToCloseTimeout: '30s',
    retry: RETRY,
    cancellationType,
  });
  return { collectOutputs, recordOutputs };
}
