/** {@link SessionClient} over Temporal. */
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { sessionWorkflowId } from '../events/ids.ts';
import { BRAIN_QUEUE, POST, SESSION_WORKFLOW, type SessionAnswer, type SessionRequest } from '../workflows/contract.ts';
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

  return {
    async start(input) {
      await temporal.withDeadline(Date.now() + CALL_MS, async () => {
        try {
          await temporal.workflow.start(SESSION_WORKFLOW, {
            workflowId: sessionWorkflowId(input.session),
            taskQueue: BRAIN_QUEUE,
            args: [input],
            workflowIdReusePolicy: 'REJECT_DUPLICATE',
            typedSearchAttributes: [
              { key: WORKSPACE, value: input.workspace },
              { key: AGENT, value: input.agent.name },
              { key: STATUS, value: 'idle' },
            ],
            staticSummary: input.agent.name.slice(0, 100),
          });
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        }
      });
    },

    post: (sessionId, requestId, op) => batches.post(sessionId, { id: requestId, op }),

    async isOpen(sessionId) {
      try {
        const description = await temporal.withDeadline(Date.now() + CALL_MS, () =>
          temporal.workflow.getHandle(sessionWorkflowId(sessionId)).describe(),
        );
        return description.status.name === 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },

    async erase(sessionId) {
      const workflowId = sessionWorkflowId(sessionId);
      const { namespace } = temporal.options;
      // Visibility lags behind; the chain itself tells every run: each names the one before it.
      const runs = new Set<string>();
      for await (const run of temporal.workflow.list({ query: `WorkflowId = "${workflowId}"` })) runs.add(run.runId);
      runs.add('');
      for (const runId of runs) {
        await temporal.workflowService
          .deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, ...(runId ? { runId } : {}) } })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
      }
    },
  };
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
