/**
 * An activity of the brain that is tried again may have lost the brain that had its session in its cache. The server does
 * not know: it would leave the session's next step to that one for 2 s (the sticky queue's limit). So it is told to ask
 * any brain. Where nothing was lost, a brain replays a session that another still has: seldom, and harmless.
 */
import type { ActivityInterceptorsFactory, NativeConnection } from '@temporalio/worker';

/** For the server to answer; then the session waits those 2 s. ms */
const ANSWER_MS = 1_000;

export function forgetDeadCache(connection: NativeConnection, namespace: string): ActivityInterceptorsFactory {
  const forget = (execution: { workflowId: string; runId: string }) =>
    connection
      .withDeadline(Date.now() + ANSWER_MS, () =>
        connection.workflowService.resetStickyTaskQueue({ namespace, execution }),
      )
      .catch(() => undefined);
  return ({ info: { attempt, workflowExecution } }) => {
    // The second attempt alone: what keeps failing has no worse a cache each time.
    if (attempt !== 2 || !workflowExecution) return {};
    return {
      inbound: {
        async execute(input, next) {
          await forget(workflowExecution);
          return await next(input);
        },
      },
    };
  };
}
