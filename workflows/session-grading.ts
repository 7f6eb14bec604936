/**
 * The grading of a session's outcome, as its workflow sees it: a workflow of its own per evaluation, cancelled when the
 * evaluation is broken off, and a sign of life from time to time. What they mean is decided by the reducer.
 */
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  sleep,
} from '@temporalio/workflow';
import { gradingWorkflowId } from '../events/ids.ts';
import { kindOf } from './activities.ts';
import { DEFAULT_SESSION_SETTINGS, type SessionInput, WORKFLOW_TASK_TIMEOUT } from './contract.ts';
import { reason } from './failure-words.ts';
import type { grading } from './grading.ts';
import { type Evaluation, evaluationKey, GRADING_WORKFLOW, type Grade } from './grading-contract.ts';
import { NO_TOKENS } from './reducer/usage.ts';
import type { SessionHost } from './session-host.ts';

export interface SessionGrading {
  /** Resolves when the evaluation has ended and its grade has been taken in. */
  run(evaluation: Evaluation): Promise<void>;
  /** Cancels the open evaluation; its `run` still brings a grade. */
  stop(): void;
}

export function createSessionGrading(input: SessionInput, host: SessionHost): SessionGrading {
  let open: CancellationScope | undefined;

  async function run(evaluation: Evaluation): Promise<void> {
    host.begin();
    const scope = new CancellationScope({ cancellable: true });
    const signs = new CancellationScope({ cancellable: true });
    open = scope;
    const { ref, changes, checkpoint } = host.state().sandbox;
    const shown = showSigns(evaluation, signs);
    try {
      const grade = await scope.run(() => grade_(evaluation)).catch(asGrade);
      signs.cancel();
      // Nothing may be waited for behind the grade: the next run begins where nothing is in flight.
      await shown;
      if (ref && grade.judged && grade.judged.sha256 !== checkpoint?.sha256 && grade.kind !== 'stopped') {
        host.dispatch({ in: 'checkpointed', generation: ref.generation, changes, checkpoint: grade.judged });
      }
      host.dispatch({ in: 'graded', evaluation: evaluation.id, grade });
    } finally {
      signs.cancel();
      if (open === scope) open = undefined;
      host.end();
    }
  }

  function grade_(evaluation: Evaluation): Promise<Grade> {
    const { session, thread, agent, sandbox, inputs } = host.state();
    const { ref, checkpoint } = sandbox;
    return executeChild<typeof grading>(GRADING_WORKFLOW, {
      workflowId: gradingWorkflowId(session, evaluationKey(evaluation)),
      args: [
        {
          ...{ session, thread, agentRev: agent.rev, harness: input.harness },
          ...{ handsQueue: input.handsQueue, settings: input.settings, evaluation, ...kindOf(input) },
          ...(ref ? { ref } : {}),
          ...(checkpoint ? { checkpoint } : {}),
          ...(inputs ? { inputs } : {}),
        },
      ],
      workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      // A session that ends meanwhile must not leave a sandbox behind.
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: `grades iteration ${evaluation.iteration} of ${evaluation.outcome}`,
    });
  }

  /** Until the scope is cancelled. What a sign leads to must not belong to a scope that ends: only the sleep does. */
  async function showSigns(evaluation: Evaluation, signs: CancellationScope): Promise<void> {
    const ms = input.settings.gradingBeatMs ?? DEFAULT_SESSION_SETTINGS.gradingBeatMs ?? 0;
    try {
      for (;;) {
        await signs.run(() => sleep(ms));
        host.dispatch({ in: 'stillGrading', evaluation: evaluation.id });
      }
    } catch (error) {
      if (!isCancellation(error)) throw error;
    }
  }

  return {
    run,
    stop: () => open?.cancel(),
  };
}

/** A grading that ends without a grade: cancelled before it began, or by an operator, or broken by a bug. */
function asGrade(error: unknown): Grade {
  if (isCancellation(error)) return { kind: 'stopped', usage: NO_TOKENS };
  return { kind: 'error', class: 'harness', message: reason(error), usage: NO_TOKENS };
}
