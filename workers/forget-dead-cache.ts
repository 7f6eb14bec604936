/**
 * An activity of the brain that is tried again may have lost the brain that had its session in its cache. The server does
 * not know: it would leave the session's next step to that one for 2 s (the sticky queue's limit). So it is told to ask
 * any brain. Where nothing was lost, a brain replays a session that another still has: seldom, and harmless.
 */
import type { ActivityInterceptorsFactory, NativeConnection } from '@temporalio/worker';

const ANSWER_MS = 2_000;

export function forgetDeadCache(connection: NativeConnection, namespace: string): ActivityInterceptorsFactory {
  return ({ info }) => {
    const { workflowExecution: execution } = info;
    // The second attempt alone: what keeps failing has no worse a cache each time.
    if (info.attempt === 2 && execution) {
      connection
        .withDeadline(Date.now() + ANSWER_MS, () =>
          connection.workflowService.resetStickyTaskQueue({ namespace, execution }),
        )
        // Then it waits those 2 s.
        .catch(() => undefined);
    }
    return {};
  };
}
