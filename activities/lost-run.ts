/**
 * What the history of a lost session's last run still tells: entries that were on their way to the store, requests that
 * had been answered, the sandbox. Pure.
 */

import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { Checkpoint, SandboxRef, SandboxSpec } from '../sandbox/hands.ts';
import type {
  Carry,
  ExecuteInput,
  ExecuteResult,
  PublishInput,
  SampleInput,
  SessionAnswer,
  SessionInput,
  SessionRequest,
} from '../workflows/contract.ts';
import type { Answered, Sandbox } from '../workflows/state.ts';

export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];
type Payloads = { payloads?: Payload[] | null } | null | undefined;

export interface LostRun {
  /** What the run was started with. */
  input?: SessionInput;
  /** Entries that activities were given, in order: whether they have reached the store or not. */
  carries: Carry[];
  /** Requests that were answered in this run. */
  posts: { request: SessionRequest; answered: Answered }[];
  sandbox: Sandbox;
}

interface Scheduled {
  activity: string;
  input: unknown;
}

export function readLostRun(history: History): LostRun {
  const run: LostRun = { carries: [], posts: [], sandbox: { generation: 0, changes: 0, saved: 0 } };
  const scheduled = new Map<string, Scheduled>();
  const updates = new Map<string, SessionRequest[]>();
  for (const event of history.events ?? []) {
    const { workflowExecutionStartedEventAttributes: started, activityTaskScheduledEventAttributes: asked } = event;
    if (started) {
      run.input = decode<SessionInput>(started.input);
      if (run.input?.carried) run.sandbox = { ...run.input.carried.sandbox };
    }
    if (asked) {
      const one = { activity: asked.activityType?.name ?? '', input: decode<unknown>(asked.input) };
      scheduled.set(String(event.eventId), one);
      takeCarry(run, one);
      takeSpec(run, one);
    }
    const { activityTaskCompletedEventAttributes: done } = event;
    const one = done && scheduled.get(String(done.scheduledEventId));
    if (done && one) takeResult(run, one, decode<unknown>(done.result));
    takeUpdate(run, event, updates);
  }
  // Whether its files have changed since they were saved is not known: they are saved again.
  run.sandbox.changes = run.sandbox.saved + 1;
  return run;
}

function takeCarry(run: LostRun, { activity, input }: Scheduled): void {
  if (activity !== 'publish' && activity !== 'sample') return;
  const { carry } = input as PublishInput | SampleInput;
  if (carry.entries.length > 0) run.carries.push(carry);
}

/** A sandbox may have been made without anybody having been told: its generation is used up. */
function takeSpec({ sandbox }: LostRun, { activity, input }: Scheduled): void {
  if (activity === 'provision') sandbox.generation = Math.max(sandbox.generation, (input as SandboxSpec).generation);
}

function takeResult({ sandbox }: LostRun, { activity, input }: Scheduled, result: unknown): void {
  switch (activity) {
    case 'provision': {
      const { ref } = result as { ref: SandboxRef };
      sandbox.ref = ref;
      sandbox.generation = ref.generation;
      return;
    }
    case 'checkpoint':
      sandbox.checkpoint = (result as Checkpoint | null) ?? sandbox.checkpoint;
      return;
    case 'release':
      sandbox.ref = undefined;
      return;
    case 'execute': {
      const outcome = result as ExecuteResult;
      if (outcome.kind !== 'lost' || (input as ExecuteInput).ref.generation !== sandbox.generation) return;
      sandbox.ref = undefined;
      sandbox.checkpoint = outcome.checkpoint ?? sandbox.checkpoint;
    }
  }
}

/** An update is accepted and answered in one workflow task. */
function takeUpdate(run: LostRun, event: HistoryEvent, updates: Map<string, SessionRequest[]>): void {
  const accepted = event.workflowExecutionUpdateAcceptedEventAttributes;
  if (accepted) {
    const requests = decode<SessionRequest[]>(accepted.acceptedRequest?.input?.args);
    if (requests) updates.set(accepted.acceptedRequest?.meta?.updateId ?? '', requests);
  }
  const completed = event.workflowExecutionUpdateCompletedEventAttributes;
  const requests = completed && updates.get(completed.meta?.updateId ?? '');
  if (!completed || !requests) return;
  const answers = decode<SessionAnswer[]>(completed.outcome?.success) ?? [];
  for (const [index, request] of requests.entries()) {
    const answer = answers[index];
    const at = Number(event.eventTime?.seconds ?? 0) * 1_000;
    if (answer) run.posts.push({ request, answered: { id: request.id, at, answer } });
  }
}

function decode<T>(payloads: Payloads): T | undefined {
  const first = payloads?.payloads?.[0];
  return first && defaultPayloadConverter.fromPayload<T>(first);
}
