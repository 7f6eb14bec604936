/**
 * Putting servers of the operator's in order for sessions: the tables of the database, the Temporal namespace with its
 * retention, and the search attributes. A second run finds everything done; it never takes anything away.
 */
import type { Connection } from '@temporalio/client';
import { migrateDatabase } from '../store/database.ts';
import { databasePlace, OLDEST_POSTGRES, schemaState } from '../store/schema-version.ts';
import { inDays, reasonOf, schemaProblem, unfitAttributes } from './readiness.ts';
import { connectTemporal, type TemporalTarget } from './temporal-connection.ts';
import {
  attributeState,
  createNamespace,
  ensureRetention,
  ensureSearchAttributes,
  GRPC,
  grpcCode,
  RETENTION_DAYS,
  retentionDays,
  SEARCH_ATTRIBUTES,
} from './temporal-namespace.ts';

/** A server keeps its namespaces in memory and looks for new ones every few seconds. */
const SPREADING_MS = 60_000;
const LOOK_MS = 250;

/** Thrown when something cannot be put in order; says what, and what to do. */
export class SetupError extends Error {
  override name = 'SetupError';
}

/** @param onLine - gets what was found or done, one line each. @throws SetupError */
export async function setUpDatabase(url: string, onLine: (line: string) => void): Promise<void> {
  const place = databasePlace(url);
  const before = await schemaState(url).catch((error: unknown) => {
    throw new SetupError(
      `The ${place} cannot be used: ${reasonOf(error)}. Start it, make the database, or correct DATABASE_URL.`,
    );
  });
  if (before.postgres < OLDEST_POSTGRES) {
    throw new SetupError(`The ${place} is of PostgreSQL ${before.postgres}; give one of ${OLDEST_POSTGRES} or newer.`);
  }
  if (before.kind === 'current') return onLine(`Database: the tables are of version ${before.latest} already.`);
  // What a newer Longhand made is not ours to change.
  if (before.kind === 'newer' || before.kind === 'changed') {
    throw new SetupError(`The ${place} ${schemaProblem(before)}`);
  }
  await migrateDatabase(url).catch((error: unknown) => {
    throw new SetupError(`The tables of the ${place} cannot be made: ${reasonOf(error)}. Nothing was changed.`);
  });
  const after = await schemaState(url);
  if (after.kind !== 'current') throw new SetupError(`The ${place} ${schemaProblem(after)}`);
  onLine(
    before.kind === 'empty'
      ? `Database: made the tables, version ${after.latest}.`
      : `Database: brought the tables from version ${before.applied} to ${after.latest}.`,
  );
}

/** @param onLine - gets what was found or done, one line each. @throws SetupError */
export async function setUpTemporal(target: TemporalTarget, onLine: (line: string) => void): Promise<void> {
  const { address, namespace } = target;
  const connection = await connectTemporal(target).catch((error: unknown) => {
    throw new SetupError(
      `The Temporal server at ${address} does not answer: ${reasonOf(error)}. Start it, or correct the TEMPORAL_* variables.`,
    );
  });
  try {
    await setUpRetention(connection, namespace, onLine);
    await setUpAttributes(connection, namespace, onLine);
  } finally {
    await connection.close();
  }
}

async function setUpRetention(connection: Connection, namespace: string, onLine: (line: string) => void) {
  const wish = `make the namespace "${namespace}" with ${RETENTION_DAYS} days’ retention there, then run this again`;
  const found = await retentionDays(connection, namespace).catch((error: Error) => {
    if (grpcCode(error) === GRPC.notFound) return undefined;
    throw new SetupError(`The Temporal namespace "${namespace}" cannot be read: ${error.message}.`);
  });
  try {
    if (found === undefined && (await createNamespace(connection, namespace))) {
      return onLine(`Temporal: made the namespace "${namespace}"; closed runs are kept for ${RETENTION_DAYS} days.`);
    }
    if (found !== undefined && found >= RETENTION_DAYS) {
      return onLine(`Temporal: the namespace "${namespace}" is there and keeps closed runs for ${inDays(found)}.`);
    }
    await ensureRetention(connection, namespace);
  } catch (error) {
    // Temporal Cloud, or a server with an authorizer.
    throw new SetupError(`The server does not let this be done: ${(error as Error).message}. As an operator ${wish}.`);
  }
  const before = found === undefined ? '' : ` from ${inDays(found)}`;
  onLine(`Temporal: raised the retention of the namespace "${namespace}"${before} to ${RETENTION_DAYS} days.`);
}

async function setUpAttributes(connection: Connection, namespace: string, onLine: (line: string) => void) {
  const added: string[] = [];
  await persistently(
    async () => {
      added.push(...(await ensureSearchAttributes(connection, namespace)));
    },
    `The search attributes ${SEARCH_ATTRIBUTES.join(', ')} (Keyword) cannot be added to "${namespace}". Add them as an operator`,
  );
  const { unfit } = await attributeState(connection, namespace);
  if (unfit.length > 0) throw new SetupError(unfitAttributes(namespace, unfit));
  // The first session must not meet a server that has not heard of them yet.
  const query = SEARCH_ATTRIBUTES.map((name) => `${name} = 'setup'`).join(' and ');
  await persistently(async () => {
    await connection.workflowService.countWorkflowExecutions({ namespace, query });
  }, `The search attributes of "${namespace}" were added but cannot be searched. Look at the server’s log`);
  onLine(
    added.length === 0
      ? 'Temporal: the search attributes are there.'
      : `Temporal: added the search attributes ${added.join(', ')}.`,
  );
}

/** Tries until a new namespace has got about. @throws SetupError with the last reason. */
async function persistently(attempt: () => Promise<void>, failure: string): Promise<void> {
  for (const deadline = Date.now() + SPREADING_MS; ; ) {
    try {
      return await attempt();
    } catch (error) {
      const refused = grpcCode(error) === GRPC.permissionDenied || grpcCode(error) === GRPC.unimplemented;
      if (refused || Date.now() > deadline) throw new SetupError(`${failure}: ${(error as Error).message}.`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
