/** What Longhand needs of a Temporal namespace: long enough retention, and the search attributes of sessions. */
import type { Connection } from '@temporalio/client';

/** Keywords that sessions set on their workflows, for Temporal's Web UI and lists. */
export const SEARCH_ATTRIBUTES = ['LonghandAgent', 'LonghandStatus', 'LonghandWorkspace'] as const;

/** A closed run's history is deleted so long after it closed. Each continue-as-new closes a run. */
export const RETENTION_DAYS = 30;

const DEADLINE_MS = 10_000;
/** temporal.api.enums.v1.IndexedValueType */
const KEYWORD = 2;
/** google.rpc.Code */
const ALREADY_EXISTS = 6;
const NOT_FOUND = 5;

/** Makes the namespace. */
export async function createNamespace(connection: Connection, namespace: string): Promise<void> {
  const workflowExecutionRetentionPeriod = durationOfDays(RETENTION_DAYS);
  await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod }),
  );
}

/** As {@link retentionDays}; undefined when there is no such namespace. */
export async function namespaceRetentionDays(connection: Connection, namespace: string): Promise<number | undefined> {
  return await retentionDays(connection, namespace).catch((error: unknown) => {
    if ((error as { code?: number }).code === NOT_FOUND) return undefined;
    throw error;
  });
}

/** Retention of the namespace, days. Also the sign that a server is ready: it answers from its database. */
export async function retentionDays(connection: Connection, namespace: string): Promise<number> {
  const answer = await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.describeNamespace({ namespace }),
  );
  return Number(answer.config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400;
}

/** Sets the retention unless it is that long already: a new dev server starts with one day. */
export async function ensureRetention(connection: Connection, namespace: string): Promise<void> {
  if ((await retentionDays(connection, namespace)) >= RETENTION_DAYS) return;
  const config = { workflowExecutionRetentionTtl: durationOfDays(RETENTION_DAYS) };
  await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.updateNamespace({ namespace, config }),
  );
}

function durationOfDays(days: number) {
  // The server's own Long type is what protobufjs makes of a number here.
  return { seconds: (days * 86_400) as unknown as Long, nanos: 0 };
}

export async function missingSearchAttributes(connection: Connection, namespace: string): Promise<string[]> {
  const listed = await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.operatorService.listSearchAttributes({ namespace }),
  );
  return SEARCH_ATTRIBUTES.filter((name) => listed.customAttributes?.[name] === undefined);
}

/** Registers the search attributes that are missing. */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { operatorService } = connection;
  const deadline = Date.now() + DEADLINE_MS;
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length === 0) return;
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
  try {
    await connection.withDeadline(deadline, () => operatorService.addSearchAttributes({ namespace, searchAttributes }));
  } catch (error) {
    // Another process was faster.
    if ((error as { code?: number }).code !== ALREADY_EXISTS) throw error;
  }
}
