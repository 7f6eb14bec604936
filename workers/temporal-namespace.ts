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
  // The server's own Long type is what protobufjs makes of a number here.
  const config = { workflowExecutionRetentionTtl: { seconds: (RETENTION_DAYS * 86_400) as unknown as Long, nanos: 0 } };
  await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.updateNamespace({ namespace, config }),
  );
}

/** Registers the search attributes that are missing. */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { operatorService } = connection;
  const deadline = Date.now() + DEADLINE_MS;
  const listed = await connection.withDeadline(deadline, () => operatorService.listSearchAttributes({ namespace }));
  const missing = SEARCH_ATTRIBUTES.filter((name) => listed.customAttributes?.[name] === undefined);
  if (missing.length === 0) return;
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
  try {
    await connection.withDeadline(deadline, () => operatorService.addSearchAttributes({ namespace, searchAttributes }));
  } catch (error) {
    // Another process was faster.
    if ((error as { code?: number }).code !== ALREADY_EXISTS) throw error;
  }
}
