/**
 * Ends a worker without losing what is on its way to it. The SDK's own stop (Core of 1.24.0) drops workflow tasks that the
 * server hands out in that moment: its stream of tasks ends when nothing that it knows of is under way, whatever its polls
 * still bring. Each of them is missed only after its time limit, 4 s, in which its session stands still. So the server is
 * told first, by its own means for that (ShutdownWorker), and what it has handed out by then is still taken.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { ActivityInterceptorsFactory, NativeConnection, Worker } from '@temporalio/worker';

/** From the server's word that it hands out no more, to the last of what it had handed out. ms */
const ON_THE_WAY_MS = 150;
/** For the server to answer; a stop must not hang on it. ms */
const ANSWER_MS = 2_000;
/** Newest events of a session's history: one in three is about a workflow task. */
const EVENTS = 30;
/** TaskQueueType: workflow, activity (temporal/api/enums/v1/task_queue.proto). */
const QUEUE_TYPES = [1, 2];

/** Names a worker in the Temporal UI. No other has it, also where all machines have one name and every process is pid 1. */
export function workerIdentity(): string {
  return `${process.pid}@${hostname()}-${randomBytes(3).toString('hex')}`;
}

/** Which session a worker served last. */
export interface LastServed {
  interceptor: ActivityInterceptorsFactory;
  /** undefined: none yet. */
  execution(): { workflowId: string; runId: string } | undefined;
}

export function createLastServed(): LastServed {
  let last: ReturnType<LastServed['execution']>;
  return {
    interceptor: ({ info }) => {
      last = info.workflowExecution;
      return {};
    },
    execution: () => last,
  };
}

/**
 * Begins the end of a worker; its `run()` settles when it has ended. Safe to repeat.
 * @param served - of a worker of workflows.
 */
export async function stopWorker(worker: Worker, connection: NativeConnection, served?: LastServed): Promise<void> {
  if (worker.getState() !== 'RUNNING') return;
  // A server that does not know how, or is away, costs a session a pause and nothing else.
  const told = await connection
    .withDeadline(Date.now() + ANSWER_MS, () => tellServer(worker, connection, served))
    .catch(() => false);
  if (told) await new Promise((resolve) => setTimeout(resolve, ON_THE_WAY_MS));
  // It may have failed meanwhile.
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

/** Whether it hands out no more to this worker. */
async function tellServer(worker: Worker, connection: NativeConnection, served?: LastServed): Promise<boolean> {
  const { namespace, identity, taskQueue } = worker.options;
  const { workflowService } = connection;
  const [key, stickyTaskQueue] = await Promise.all([
    instanceKey(worker, connection),
    served && stickyQueue(worker, connection, served),
  ]);
  // Tasks for its cache would wait there in vain for their own time limit.
  if (key === undefined || (served && !stickyTaskQueue)) return false;
  const told = workflowService.shutdownWorker({
    ...{ namespace, identity, taskQueue, workerInstanceKey: key, taskQueueTypes: QUEUE_TYPES },
    ...(stickyTaskQueue ? { stickyTaskQueue } : {}),
  });
  // Without a queue of its own it is refused for that, after everything else was done.
  await (stickyTaskQueue ? told : told.catch(() => undefined));
  return true;
}

/** What the SDK calls this worker where the server keeps its polls. The SDK does not say it; its heartbeats have it. */
async function instanceKey(worker: Worker, { workflowService }: NativeConnection): Promise<string | undefined> {
  const { namespace, identity, taskQueue } = worker.options;
  const query = `WorkerIdentity = "${identity}"`;
  const { workers } = await workflowService.listWorkers({ namespace, query, pageSize: 10 });
  return workers?.find((one) => one.taskQueue === taskQueue)?.workerInstanceKey || undefined;
}

/** The queue of what it has in its cache. The SDK does not say that either; the history of whatever it served does. */
async function stickyQueue(
  worker: Worker,
  { workflowService }: NativeConnection,
  served: LastServed,
): Promise<string | undefined> {
  const execution = served.execution();
  if (!execution) return undefined;
  const { namespace, identity } = worker.options;
  const { history } = await workflowService.getWorkflowExecutionHistoryReverse({
    ...{ namespace, execution, maximumPageSize: EVENTS },
  });
  const names = history?.events?.map((event) => event.workflowTaskScheduledEventAttributes?.taskQueue?.name);
  return names?.find((name) => name?.startsWith(`${identity}-`)) ?? undefined;
}
