/** {@link SessionClient} over Temporal. */
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { gradingWorkflowId, sessionWorkflowId } from '../events/ids.ts';
import {
  BRAIN_QUEUE,
  POST,
  SESSION_WORKFLOW,
  type SessionAnswer,
  type SessionInput,
  type SessionRequest,
  WORKFLOW_TASK_TIMEOUT,
} from '../workflows/contract.ts';
import { createBatches } from './batches.ts';
import { type SessionClient, SessionClosedError } from './session.ts';

const WORKSPACE = defineSearchAttributeKey('LonghandWorkspace', 'KEYWORD');
const AGENT = defineSearchAttributeKey('LonghandAgent', 'KEYWORD');
const STATUS = defineSearchAttributeKey('LonghandStatus', 'KEYWORD');
/** Every call has a deadline: the client has none of its own. ms. */
const CALL_MS = 20_000;

export function createSessionClient(temporal: Client): SessionClient {
  const send = (sessionId: string, requests: SessionRequest[]): Promise<SessionAnswer[]> =>
    temporal.withDeadline(Date.now() + CALL_MS, async () => {
      const handle = temporal.workflow.getHandle(sessionWorkflowId(sessionId));
      try {
        return await handle.executeUpdate<SessionAnswer[], [SessionRequest[]]>(POST, { args: [requests] });
      } catch (error) {
        throw isClosed(error) ? new SessionClosedError(sessionId) : error;
      }
    });
  const batches = createBatches(send);
  const remove = async (workflowId: string, runId: string): Promise<void> => {
    const { namespace } = temporal.options;
    await temporal.workflowService
      .deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
  };

  return {
    start: (input) => startWorkflow(temporal, input, 'REJECT_DUPLICATE'),
    startAgain: (input) => startWorkflow(temporal, input, 'ALLOW_DUPLICATE_FAILED_ONLY'),

    post: (sessionId, requestId, op) => batches.post(sessionId, { id: requestId, op }),

    async lookUp(sessionId) {
      const found = await describe(temporal, sessionId);
      if (!found) return { workflow: 'unknown' };
      const { status, runId } = found;
      if (status.name === 'RUNNING') return { workflow: 'open' };
      if (status.name === 'COMPLETED') return { workflow: 'ended' };
      return await temporal.withDeadline(Date.now() + CALL_MS, async () => {
        const run = temporal.workflow.getHandle(sessionWorkflowId(sessionId), runId);
        return { workflow: 'lost', runId, history: await run.fetchHistory() };
      });
    },

    isOpen: async (sessionId) => (await describe(temporal, sessionId))?.status.name === 'RUNNING',

    async erase(sessionId) {
      const workflowId = sessionWorkflowId(sessionId);
      const runs = new Set(await chainOfRuns(temporal, workflowId));
      // Visibility knows runs that a broken-off deletion cut off from the chain; it lags behind, the chain does not.
      for await (const run of temporal.workflow.list({ query: `WorkflowId = "${workflowId}"` })) runs.add(run.runId);
      const gradings = `WorkflowId STARTS_WITH "${gradingWorkflowId(sessionId, '')}"`;
      for await (const { workflowId: id, runId } of temporal.workflow.list({ query: gradings }))
        await remove(id, runId);
      // Oldest first: what is left, should this break off, still leads from the last run to all others.
      for (const runId of [...runs].reverse()) await remove(workflowId, runId);
    },
  };
}

/** Every run of a session, the last one first: each names the one that it continues. */
async function chainOfRuns(temporal: Client, workflowId: string): Promise<string[]> {
  const runs: string[] = [];
  for (let run = await runOf(temporal, workflowId); run; run = await runOf(temporal, workflowId, run.before)) {
    runs.push(run.id);
    if (!run.before) break;
  }
  return runs;
}

/** A run's id and that of the run before it (empty for the first); undefined when it is gone. No `runId`: the last run. */
async function runOf(
  temporal: Client,
  workflowId: string,
  runId?: string,
): Promise<{ id: string; before: string } | undefined> {
  const { namespace } = temporal.options;
  const execution = { workflowId, ...(runId ? { runId } : {}) };
  try {
    const { history } = await temporal.withDeadline(Date.now() + CALL_MS, () =>
      temporal.workflowService.getWorkflowExecutionHistory({ namespace, execution, maximumPageSize: 1 }),
    );
    const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
    return { id: started?.originalExecutionRunId ?? '', before: started?.continuedExecutionRunId ?? '' };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function startWorkflow(
  temporal: Client,
  input: SessionInput,
  workflowIdReusePolicy: 'REJECT_DUPLICATE' | 'ALLOW_DUPLICATE_FAILED_ONLY',
): Promise<void> {
  await temporal.withDeadline(Date.now() + CALL_MS, async () => {
    try {
      await temporal.workflow.start(SESSION_WORKFLOW, {
        workflowId: sessionWorkflowId(input.session),
        taskQueue: BRAIN_QUEUE,
        args: [input],
        workflowIdReusePolicy,
        workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
        typedSearchAttributes: [
          { key: WORKSPACE, value: input.workspace },
          { key: AGENT, value: input.agent.name },
          { key: STATUS, value: input.carried?.status ?? 'idle' },
        ],
        staticSummary: input.agent.name.slice(0, 100),
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  });
}

async function describe(temporal: Client, sessionId: string): Promise<WorkflowExecutionDescription | undefined> {
  try {
    return await temporal.withDeadline(Date.now() + CALL_MS, () =>
      temporal.workflow.getHandle(sessionWorkflowId(sessionId)).describe(),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/** The workflow has ended, or did while the update was on its way. */
function isClosed(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  return cause !== undefined && Reflect.get(cause, 'type') === 'AcceptedUpdateCompletedWorkflow';
}

function isNotFound(error: unknown): boolean {
  // gRPC NOT_FOUND
  return typeof error === 'object' && error !== null && Reflect.get(error, 'code') === 5;
}
