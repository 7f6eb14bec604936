/** The servers: PostgreSQL and Temporal, where they are the operator's own. */
import type { Connection } from '@temporalio/client';
import { databasePlace, OLDEST_POSTGRES, schemaState } from '../store/schema-version.ts';
import type { Examination, Finding } from './doctor.ts';
import { inDays, reasonOf, schemaProblem, unfitAttributes } from './readiness.ts';
import { connectTemporal, temporalTarget } from './temporal-connection.ts';
import {
  attributeState,
  GRPC,
  grpcCode,
  LEAST_RETENTION_DAYS,
  RETENTION_DAYS,
  retentionDays,
} from './temporal-namespace.ts';

const SETUP = 'run `longhand setup`';
const CONNECT_MS = 5_000;

export async function checkDatabase({ settings, part }: Examination): Promise<Finding[]> {
  if (part === 'hands') return [];
  const check = 'database';
  const { DATABASE_URL: url } = settings;
  if (!url) {
    if (part === undefined) return [{ check, status: 'ok', found: 'the embedded PostgreSQL of `longhand dev`' }];
    const fix = 'set DATABASE_URL, such as postgres://user:password@host/longhand';
    return [{ check, status: 'missing', found: 'DATABASE_URL is not set', fix }];
  }
  const place = databasePlace(url);
  try {
    const state = await schemaState(url);
    const server: Finding = { check, status: 'ok', found: `${place}, PostgreSQL ${state.postgres}` };
    if (state.postgres < OLDEST_POSTGRES) {
      return [{ ...server, status: 'missing', fix: `give a PostgreSQL of version ${OLDEST_POSTGRES} or newer` }];
    }
    const problem = schemaProblem(state);
    if (problem === undefined) return [server, { check: 'tables', status: 'ok', found: `version ${state.latest}` }];
    const fix = state.kind === 'empty' || state.kind === 'older' ? SETUP : 'see there';
    return [server, { check: 'tables', status: 'missing', found: `The ${place} ${problem}`, fix }];
  } catch (error) {
    const found = `the ${place} does not answer: ${reasonOf(error)}`;
    return [{ check, status: 'missing', found, fix: 'start it, make the database, or correct DATABASE_URL' }];
  }
}

export async function checkTemporal({ env, part }: Examination): Promise<Finding[]> {
  const check = 'temporal';
  const target = temporalTarget(env);
  if (!target) {
    if (part === undefined) return [{ check, status: 'ok', found: 'the dev server of `longhand dev`' }];
    return [{ check, status: 'missing', found: 'TEMPORAL_ADDRESS is not set', fix: 'set it to host:port' }];
  }
  let connection: Connection;
  try {
    connection = await connectTemporal(target, CONNECT_MS);
  } catch (error) {
    const found = `${target.address} does not answer: ${reasonOf(error)}`;
    return [{ check, status: 'missing', found, fix: 'start the server, or correct the TEMPORAL_* variables' }];
  }
  try {
    const { serverVersion } = await connection.workflowService.getSystemInfo({});
    const server: Finding = { check, status: 'ok', found: `${target.address}, server ${serverVersion}` };
    return [server, ...(await namespaceFindings(connection, target.namespace))];
  } catch (error) {
    const fix = 'look at the server’s log and at the rights of TEMPORAL_API_KEY';
    return [{ check, status: 'missing', found: `${target.address} answers with: ${reasonOf(error)}`, fix }];
  } finally {
    await connection.close();
  }
}

async function namespaceFindings(connection: Connection, namespace: string): Promise<Finding[]> {
  const days = await retentionDays(connection, namespace).catch((error: unknown) => {
    if (grpcCode(error) === GRPC.notFound) return undefined;
    throw error;
  });
  if (days === undefined) {
    return [{ check: 'namespace', status: 'missing', found: `"${namespace}" does not exist`, fix: SETUP }];
  }
  const findings: Finding[] = [{ check: 'namespace', status: 'ok', found: `"${namespace}"` }];
  const found = `closed runs are kept for ${inDays(days)}`;
  if (days >= RETENTION_DAYS) findings.push({ check: 'retention', status: 'ok', found });
  else {
    const status = days < LEAST_RETENTION_DAYS ? 'missing' : 'warning';
    findings.push({ check: 'retention', status, found: `${found}; sessions want ${RETENTION_DAYS} days`, fix: SETUP });
  }
  return [...findings, ...(await attributeFindings(connection, namespace))];
}

async function attributeFindings(connection: Connection, namespace: string): Promise<Finding[]> {
  const check = 'search attributes';
  try {
    const { missing, unfit } = await attributeState(connection, namespace);
    const findings: Finding[] = [];
    if (missing.length > 0) findings.push({ check, status: 'missing', found: `not there: ${missing}`, fix: SETUP });
    if (unfit.length > 0) {
      const found = unfitAttributes(namespace, unfit);
      findings.push({ check, status: 'missing', found, fix: 'as it says' });
    }
    return findings.length > 0 ? findings : [{ check, status: 'ok', found: 'registered' }];
  } catch (error) {
    const fix = 'ask an operator whether they are registered';
    return [{ check, status: 'warning', found: `may not be looked at: ${reasonOf(error)}`, fix }];
  }
}
