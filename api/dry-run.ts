/**
 * `?dry_run=true`: the request is checked and carried out, its answer is what would be there, and nothing stays of it.
 * Only where all effects are in the database (`once: 'transaction'`). A server that does not know the parameter refuses it.
 */
import { z } from '@hono/zod-openapi';
import { TransactionRollbackError } from 'drizzle-orm/errors';
import { type ApiDeps, makeId, type Request } from './context.ts';

export const dryRunQuery = z.strictObject({
  /** Ours. */
  dry_run: z
    .enum(['true', 'false'])
    .transform((word) => word === 'true')
    .optional(),
});

export function isDryRun(query: unknown): boolean {
  return typeof query === 'object' && query !== null && 'dry_run' in query && query.dry_run === true;
}

/** Ids in the answer are made up: the real request gets others. */
export async function dryRun(
  deps: ApiDeps,
  act: (part: Pick<Request, 'db' | 'effectId' | 'since'>) => Promise<object>,
): Promise<object> {
  let answer: object = {};
  try {
    await deps.database.orm.transaction(async (tx) => {
      answer = await act({ db: tx, effectId: makeId(deps, 'post'), since: new Date(deps.now()) });
      tx.rollback();
    });
  } catch (error) {
    if (!(error instanceof TransactionRollbackError)) throw error;
  }
  return answer;
}
