/**
 * What a part looks at before it takes work: that the servers are as sessions need them. It changes nothing; putting
 * things right is `longhand setup`, which needs rights that a running part should not have.
 */
import type { Connection } from '@temporalio/client';
import { databasePlace, OLDEST_POSTGRES, schemaState } from '../store/schema-version.ts';
import { connectTemporal, type TemporalTarget } from './temporal-connection.ts';
import { attributeState, GRPC, grpcCode, LEAST_RETENTION_DAYS, retentionDays } from './temporal-namespace.ts';

/** Thrown at start; one line that says what is wrong and what to do. */
export class NotReadyError extends Error {
  override name = 'NotReadyError';
}

const SETUP = 'Run `longhand setup` with the same settings.';

/** The two checks, for a part's start. @param databaseUrl - absent for a part that has no database. */
export async function assertServersReady(temporal: TemporalTarget, databaseUrl: string | undefined): Promise<void> {
  if (databaseUrl !== undefined) await assertDatabaseReady(databaseUrl);
  const connection = await connectTemporal(temporal).catch((error: unknown) => {
    throw new NotReadyError(
      `The Temporal server at ${temporal.address} does not answer: ${reasonOf(error)}. Start it, or correct the TEMPORAL_* variables.`,
    );
  });
  try {
    await assertTemporalReady(connection, temporal.namespace);
  } finally {
    await connection.close();
  }
}

/** @throws NotReadyError when the namespace is missing, forgets too early, or lacks the search attributes. */
export async function assertTemporalReady(connection: Connection, namespace: string): Promise<void> {
  const days = await retentionDays(connection, namespace).catch((error: Error) => {
    if (grpcCode(error) === GRPC.notFound) {
      throw new NotReadyError(`The Temporal namespace "${namespace}" does not exist. ${SETUP}`);
    }
    throw new NotReadyError(`The Temporal namespace "${namespace}" cannot be read: ${error.message}.`);
  });
  if (days < LEAST_RETENTION_DAYS) {
    throw new NotReadyError(
      `The Temporal namespace "${namespace}" keeps closed runs for ${inDays(days)}, and sessions need at least ${LEAST_RETENTION_DAYS} days. ${SETUP}`,
    );
  }
  const { missing, unfit } = await attributeState(connection, namespace).catch((error: Error) => {
    // Servers may keep the operator's calls to operators; then a missing attribute shows at the first session.
    if (([GRPC.permissionDenied, GRPC.unimplemented] as (number | undefined)[]).includes(grpcCode(error))) {
      return { missing: [], unfit: [] };
    }
    throw new NotReadyError(
      `The search attributes of the Temporal namespace "${namespace}" cannot be read: ${error.message}.`,
    );
  });
  if (missing.length > 0) {
    throw new NotReadyError(
      `The Temporal namespace "${namespace}" lacks the search attributes ${missing.join(', ')}. ${SETUP}`,
    );
  }
  if (unfit.length > 0) throw new NotReadyError(unfitAttributes(namespace, unfit));
}

/** @throws NotReadyError when the database does not answer, or its tables are not of this Longhand's version. */
export async function assertDatabaseReady(databaseUrl: string): Promise<void> {
  const place = databasePlace(databaseUrl);
  const state = await schemaState(databaseUrl).catch((error: unknown) => {
    throw new NotReadyError(`The ${place} does not answer: ${reasonOf(error)}. Start it, or correct DATABASE_URL.`);
  });
  if (state.postgres < OLDEST_POSTGRES) {
    throw new NotReadyError(
      `The ${place} is of PostgreSQL ${state.postgres}, and Longhand needs ${OLDEST_POSTGRES} or newer.`,
    );
  }
  const problem = schemaProblem(state);
  if (problem) throw new NotReadyError(`The ${place} ${problem}`);
}

/** The end of a sentence that says what is wrong with the tables and what to do; undefined when nothing is. */
export function schemaProblem(state: Awaited<ReturnType<typeof schemaState>>): string | undefined {
  switch (state.kind) {
    case 'current':
      return undefined;
    case 'empty':
      return `has no tables of Longhand. ${SETUP}`;
    case 'older':
      return `has tables of the older version ${state.applied}; this Longhand needs ${state.latest}. ${SETUP}`;
    case 'newer':
      return `has tables of a newer version than this Longhand’s ${state.latest}. Run the newer Longhand, or give another DATABASE_URL.`;
    case 'changed':
      return `was made with other migrations than this Longhand’s (up to ${state.applied}). Run the Longhand that made it, or give another DATABASE_URL.`;
  }
}

/** A person made them by hand: nobody else may take them away. */
export function unfitAttributes(namespace: string, unfit: string[]): string {
  return `In the Temporal namespace "${namespace}" the search attributes ${unfit.join(', ')} are not of type Keyword. Remove them there, or use another namespace.`;
}

/** `3 days`, `12 hours` */
export function inDays(days: number): string {
  if (days < 1) return `${Math.round(days * 24)} hours`;
  return days === 1 ? '1 day' : `${Number(days.toFixed(1))} days`;
}

/** One line. A refused connection to a name with several addresses is an AggregateError, whose own message is empty. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return (error.message || error.name).split('\n')[0] ?? error.name;
}
