/**
 * The grader's own sandbox: a copy of the work as of a checkpoint, made when the grader first looks into it. Nothing in
 * it reaches the agent's, and nothing of the agent's that still runs reaches it.
 */
import {
  ActivityCancellationType,
  CancellationScope,
  CancelledFailure,
  isCancellation,
  log,
  proxyActivities,
} from '@temporalio/workflow';
import type { BlobPart } from '../events/entry.ts';
import type { Checkpoint, SandboxRef, SandboxSpec, ToolCall } from '../sandbox/hands.ts';
import { execute, type HandsRoute, kindOf, routeOf, sandboxWork } from './activities.ts';
import type { ExecuteResult, HandsActivities } from './contract.ts';
import { isGone, MACHINE_GONE, reason, waitedInVain } from './failure-words.ts';
import { evaluationKey, type GraderResult, type GradingInput } from './grading-contract.ts';

const DEFAULT_DEADLINE_MS = 120_000;

export interface GradingSandbox {
  /** Forces a checkpoint of the agent's sandbox; undefined when there are no files to judge. Taken once. */
  judged(): Promise<Checkpoint | undefined>;
  /** Blob with what was handed in; undefined when there is no sandbox to read it from. */
  outputs(): Promise<string | undefined>;
  /** Runs a call in the copy, which is made first if there is none. */
  run(call: GradingCall): Promise<GraderResult>;
  release(): Promise<void>;
}

export interface GradingCall {
  /** The provider's id. */
  id: string;
  name: string;
  summary: string;
  input: Record<string, unknown>;
  inputBlobs?: BlobPart[];
  /** 0: the default. */
  timeoutMs: number;
}

export function createGradingSandbox(input: GradingInput): GradingSandbox {
  const { session, settings, evaluation, inputs } = input;
  const to = (of?: SandboxRef): HandsRoute => routeOf(input, of);
  let saving: Promise<Checkpoint | undefined> | undefined;
  let ref: SandboxRef | undefined;
  let generation = 0;
  let calls = 0;

  async function save(): Promise<Checkpoint | undefined> {
    const { ref: work, checkpoint: last } = input;
    if (!work) return last;
    try {
      return (await sandboxWork(to(work)).checkpoint({ ref: work, ...(last ? { since: last.sha256 } : {}) })) ?? last;
    } catch (error) {
      // The work's sandbox is lost: what was saved of it is what there is to judge.
      if (isGone(error) || waitedInVain(error)) return last;
      throw error;
    }
  }

  function judged(): Promise<Checkpoint | undefined> {
    if (!saving) {
      saving = save();
      saving.catch(() => undefined);
    }
    return saving;
  }

  async function ensure(): Promise<SandboxRef> {
    if (ref) return ref;
    const restore = await judged();
    generation += 1;
    const spec: SandboxSpec = {
      ...{ sessionId: session, copy: evaluationKey(evaluation), generation },
      ...kindOf(input),
      ...(restore ? { restore } : {}),
      ...(inputs?.skills ? { skills: true as const } : {}),
    };
    // Not cancelled half-way: what has been made must be known, to be let go.
    const made = await CancellationScope.nonCancellable(() => sandboxWork(to()).provision(spec));
    ref = made.ref;
    if (inputs) await sandboxWork(to(ref)).bringIn({ ref, list: inputs.list });
    return made.ref;
  }

  async function run(call: GradingCall): Promise<GraderResult> {
    const deadlineMs = Math.min(call.timeoutMs > 0 ? call.timeoutMs : DEFAULT_DEADLINE_MS, settings.callMaxMs);
    const work: ToolCall = {
      ...{ id: `${evaluationKey(evaluation)}c${(calls++).toString(36)}`, thread: 'grader', name: call.name },
      ...{ input: call.input, deadlineMs },
    };
    try {
      const present = await ensure();
      if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('The evaluation was broken off.');
      const result: ExecuteResult = await execute(
        to(present),
        deadlineMs,
        call.summary,
      )({
        ref: present,
        call: work,
        ...(call.inputBlobs ? { inputBlobs: call.inputBlobs } : {}),
      });
      if (result.kind === 'lost') ref = undefined;
      return { id: call.id, ...result };
    } catch (error) {
      if (isCancellation(error)) throw error;
      if (ref?.queue !== undefined && waitedInVain(error)) {
        ref = undefined;
        return { id: call.id, kind: 'lost', started: 'maybe', message: MACHINE_GONE };
      }
      return { id: call.id, kind: 'error', message: reason(error) };
    }
  }

  return {
    judged,
    async outputs() {
      const { ref: work } = input;
      if (!work) return undefined;
      try {
        return (await outputsOf(to(work)).readOutputs({ ref: work })).sha256;
      } catch (error) {
        if (isCancellation(error)) throw error;
        log.warn('the outputs could not be read; the grader must look itself', { reason: reason(error) });
        return undefined;
      }
    },
    run,
    async release() {
      const present = ref;
      if (!present) return;
      ref = undefined;
      await CancellationScope.nonCancellable(() => sandboxWork(to(present)).release({ ref: present })).catch(
        (error: unknown) => log.warn('the grader’s sandbox could not be let go', { reason: reason(error) }),
      );
    },
  };
}

/** A convenience for the grader: not waited for as long as what must be done. */
function outputsOf({ taskQueue }: HandsRoute): Pick<HandsActivities, 'readOutputs'> {
  return proxyActivities<HandsActivities>({
    taskQueue,
    heartbeatTimeout: '10s',
    startToCloseTimeout: '1m',
    scheduleToCloseTimeout: '2m',
    retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
  });
}
