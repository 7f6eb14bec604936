/**
 * Whether the servers that a part was given are ready for it. What is missing is said in one line, with the command
 * that mends it; nothing is changed here (see setup-command.ts).
 */
import type { Connection } from '@temporalio/client';
import { databaseState } from '../store/database.ts';
import { StartError } from './data-folder.ts';
import { connectTemporal, type TemporalTarget } from './temporal-connection.ts';
import { missingSearchAttributes, namespaceRetentionDays, RETENTION_DAYS } from './temporal-namespace.ts';

/** A closed run must outlive what still asks for it: its segment being stored, a reset by an operator. Days. */
export const LEAST_RETENTION_DAYS = 7;

const SETUP = 'Run `longhand setup`';

/** @throws StartError in one line. */
export async function assertTemporalReady(target: TemporalTarget): Promise<void> {
  const { address } = target;
  const connection = await connectTemporal(target).catch((error: unknown) => {
    throw new StartError(
      `The Temporal server at ${address} does not answer: ${messageOf(error)}. Check TEMPORAL_ADDRESS.`,
    );
  });
  try {
    const problem = await temporalProblem(connection, target);
    if (problem !== undefined) throw new StartError(problem);
  } finally {
    await connection.close();
  }
}

/** What is missing on a server that answers, or undefined. */
export async function temporalProblem(
  connection: Connection,
  { address, namespace }: TemporalTarget,
): Promise<string | undefined> {
  const days = await namespaceRetentionDays(connection, namespace);
  if (days === undefined) {
    return `The Temporal server at ${address} has no namespace "${namespace}". ${SETUP} to make it, or set TEMPORAL_NAMESPACE.`;
  }
  if (days < LEAST_RETENTION_DAYS) {
    return `The Temporal namespace "${namespace}" keeps closed runs for ${days} days, and Longhand needs ${LEAST_RETENTION_DAYS} at least. ${SETUP}, which makes it ${RETENTION_DAYS}.`;
  }
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length > 0) {
    return `The Temporal namespace "${namespace}" lacks the search attributes ${missing.join(', ')}. ${SETUP} to add them.`;
  }
  return undefined;
}

/** @throws StartError in one line. */
export async function assertDatabaseReady(url: string): Promise<void> {
  const problem = await databaseProblem(url);
  if (problem !== undefined) throw new StartError(problem);
}

/** What is wrong with the database, or undefined. Its URL holds a password and is never said. */
export async function databaseProblem(url: string): Promise<string | undefined> {
  try {
    switch (await databaseState(url)) {
      case 'current':
        return undefined;
      case 'empty':
        return `The database of DATABASE_URL has no tables of Longhand. ${SETUP} to make them.`;
      case 'old':
        return `The database of DATABASE_URL has the tables of an older Longhand. ${SETUP} to bring them up to date.`;
      case 'new':
        return 'The database of DATABASE_URL has the tables of a newer Longhand. Upgrade this one, or use another database.';
    }
  } catch (error) {
    return `The database of DATABASE_URL cannot be used: ${messageOf(error)}. Check DATABASE_URL, and that the server runs.`;
  }
}

export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message;
  return error instanceof Error ? error.message : String(error);
}
