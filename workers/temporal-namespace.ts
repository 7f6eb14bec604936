/** What Longhand needs of a Temporal namespace: long enough retention, and the search attributes of sessions. */
import type { Connection } from '@temporalio/client';

/** Keywords that sessions set on their workflows, for Temporal's Web UI and lists. */
export const SEARCH_ATTRIBUTES = ['LonghandAgent', 'LonghandStatus', 'LonghandWorkspace'] as const;

/** A closed run's history is deleted so long after it closed. Each continue-as-new closes a run. */
export const RETENTION_DAYS = 30;
/** With less no part starts: histories would be gone before anybody had looked at what went wrong. */
export const LEAST_RETENTION_DAYS = 7;

const DEADLINE_MS = 10_000;
/** temporal.api.enums.v1.IndexedValueType */
const KEYWORD = 2;
/** google.rpc.Code */
export const GRPC = { notFound: 5, alreadyExists: 6, permissionDenied: 7, unimplemented: 12 } as const;

/** The gRPC status of an error of the client, or undefined. */
export function grpcCode(error: unknown): number | undefined {
  return (error as { code?: number } | undefined)?.code;
}

/** Retention of the namespace, days. Also the sign that a server is ready: it answers from its database. */
export async function retentionDays(connection: Connection, namespace: string): Promise<number> {
  const answer = await limited(connection, () => connection.workflowService.describeNamespace({ namespace }));
  return Number(answer.config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 86_400;
}

/** Makes the namespace. @returns false when it is there already. */
export async function createNamespace(connection: Connection, namespace: string): Promise<boolean> {
  const request = { namespace, workflowExecutionRetentionPeriod: RETENTION, description: 'Sessions of Longhand.' };
  try {
    await limited(connection, () => connection.workflowService.registerNamespace(request));
    return true;
  } catch (error) {
    // It was made by another process meanwhile.
    if (grpcCode(error) === GRPC.alreadyExists) return false;
    throw error;
  }
}

/** Sets the retention unless it is that long already: a new dev server starts with one day. */
export async function ensureRetention(connection: Connection, namespace: string): Promise<void> {
  if ((await retentionDays(connection, namespace)) >= RETENTION_DAYS) return;
  const config = { workflowExecutionRetentionTtl: RETENTION };
  await limited(connection, () => connection.workflowService.updateNamespace({ namespace, config }));
}

/** The server's own Long type is what protobufjs makes of a number here. */
const RETENTION = { seconds: (RETENTION_DAYS * 86_400) as unknown as Long, nanos: 0 };

export interface AttributeState {
  missing: string[];
  /** There, but not a keyword: a session could not be started. */
  unfit: string[];
}

/** Which of the search attributes the namespace lacks. */
export async function attributeState(connection: Connection, namespace: string): Promise<AttributeState> {
  const { customAttributes: there } = await limited(connection, () =>
    connection.operatorService.listSearchAttributes({ namespace }),
  );
  return {
    missing: SEARCH_ATTRIBUTES.filter((name) => there?.[name] === undefined),
    unfit: SEARCH_ATTRIBUTES.filter((name) => there?.[name] !== undefined && there[name] !== KEYWORD),
  };
}

/** Registers the search attributes that are missing. @returns their names. */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<string[]> {
  const { missing } = await attributeState(connection, namespace);
  if (missing.length === 0) return [];
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
  try {
    await limited(connection, () => connection.operatorService.addSearchAttributes({ namespace, searchAttributes }));
  } catch (error) {
    // Another process was faster.
    if (grpcCode(error) !== GRPC.alreadyExists) throw error;
  }
  return missing;
}

function limited<T>(connection: Connection, call: () => Promise<T>): Promise<T> {
  return connection.withDeadline(Date.now() + DEADLINE_MS, call);
}
