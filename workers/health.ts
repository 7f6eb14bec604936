/** `GET /healthz`: whether Temporal, the database, the workers and the sandbox are usable, with the reason of each. */
import type { Connection } from '@temporalio/client';
import type { Pool } from 'pg';
import { BRAIN_QUEUE } from '../workflows/contract.ts';
import { sandboxProblem } from './sandbox-report.ts';

export interface PartHealth {
  ok: boolean;
  /** What is wrong; absent when `ok`. */
  reason?: string;
}

export interface HealthParts {
  connection: Connection;
  namespace: string;
  pool: Pool;
  /** Of the ordinary sandboxes; targets with a queue of their own are only missed by the sessions that ask for them. */
  handsQueue: string;
  /** Where the hands worker reports (its state folder), if it is on this machine. */
  handsFolder?: string | undefined;
}

const DEADLINE_MS = 3_000;
/** A worker polls at least once a minute (the server's long poll); one that polled longer ago is gone. */
const POLLER_MS = 75_000;
/** temporal.api.enums.v1.TaskQueueType */
const WORKFLOW = 1;
const ACTIVITY = 2;

/** Checks all parts at once; takes 3 s at most. Never throws. */
export async function checkHealth(parts: HealthParts): Promise<Record<string, PartHealth>> {
  const checks: Record<string, Promise<string | undefined>> = {
    temporal: temporalProblem(parts),
    database: databaseProblem(parts.pool),
    brain: pollerProblem(parts, 'brain', BRAIN_QUEUE, [WORKFLOW, ACTIVITY]),
    hands: pollerProblem(parts, 'hands', parts.handsQueue, [ACTIVITY]),
    ...(parts.handsFolder ? { sandbox: sandboxProblem(parts.handsFolder, Date.now()) } : {}),
  };
  const results = Object.entries(checks).map(async ([name, check]): Promise<[string, PartHealth]> => {
    const reason = await limited(check);
    return [name, reason === undefined ? { ok: true } : { ok: false, reason }];
  });
  return Object.fromEntries(await Promise.all(results));
}

async function temporalProblem({ connection, namespace }: HealthParts): Promise<undefined> {
  await withDeadline(connection, () => connection.workflowService.describeNamespace({ namespace }));
}

async function databaseProblem(pool: Pool): Promise<undefined> {
  await pool.query('select 1');
}

async function pollerProblem(
  { connection, namespace }: HealthParts,
  worker: string,
  queue: string,
  types: number[],
): Promise<string | undefined> {
  for (const taskQueueType of types) {
    const answer = await withDeadline(connection, () =>
      connection.workflowService.describeTaskQueue({ namespace, taskQueue: { name: queue }, taskQueueType }),
    );
    const last = Math.max(0, ...(answer.pollers ?? []).map((poller) => Number(poller.lastAccessTime?.seconds ?? 0)));
    if (last === 0) return `no ${worker} worker polls the queue "${queue}"`;
    const age = Date.now() - last * 1_000;
    if (age > POLLER_MS) return `the last ${worker} worker polled "${queue}" ${Math.round(age / 1_000)} s ago`;
  }
  return undefined;
}

function withDeadline<T>(connection: Connection, call: () => Promise<T>): Promise<T> {
  return connection.withDeadline(Date.now() + DEADLINE_MS, call);
}

/** A check's answer, its error as a reason, or that it takes too long. */
async function limited(check: Promise<string | undefined>): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${DEADLINE_MS / 1_000} s`), DEADLINE_MS);
  });
  const answer = check.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
