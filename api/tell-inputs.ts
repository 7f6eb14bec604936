/** A change of a session's resources on its way to the session's workflow. */
import { SessionClosedError } from '../client/session.ts';
import type { Queries } from '../store/database.ts';
import { markInputsTold, nextInputsRev } from '../store/session-resources.ts';
import { findSessionSkills, untoldSessions } from '../store/sessions.ts';
import type { SessionInputs } from '../workflows/contract.ts';
import type { ApiDeps } from './context.ts';
import { loggable, notFound } from './errors.ts';
import { currentInputs } from './session-inputs.ts';

const SWEEP_SESSIONS = 100;

/** Nobody else changes the session's resources until the transaction ends. @throws ApiError 404 when it is gone */
export async function changeInputs(tx: Queries, sessionId: string): Promise<number> {
  const rev = await nextInputsRev(tx, sessionId);
  if (rev === 0) throw notFound('Session', sessionId);
  return rev;
}

/** What the sandbox must hold now, under a number that is newer than any that the workflow was told. */
export async function renewInputs({ database, blobs }: ApiDeps, sessionId: string): Promise<SessionInputs> {
  const skills = await findSessionSkills(database.orm, sessionId);
  // The change's number and the list belong together: nobody changes it meanwhile.
  return await database.orm.transaction(async (tx) =>
    currentInputs(tx, blobs, sessionId, await changeInputs(tx, sessionId), skills),
  );
}

/** Tells the workflow what the sandbox must hold now. What a crash leaves untold, `tellUntold` makes up for. */
export async function tellInputs(deps: ApiDeps, sessionId: string): Promise<void> {
  const { database, sessionClient } = deps;
  const inputs = await renewInputs(deps, sessionId);
  try {
    await sessionClient.post(sessionId, `inputs/${sessionId}/${inputs.rev}`, { op: 'inputs', inputs });
  } catch (error) {
    // It has ended: there is no sandbox any more.
    if (!(error instanceof SessionClosedError)) throw error;
  }
  await markInputsTold(database.orm, sessionId, inputs.rev);
}

/** For changes that were stored by a process which died before it told the workflow. */
export async function tellUntold(deps: ApiDeps): Promise<void> {
  for (const { id } of await untoldSessions(deps.database.orm, SWEEP_SESSIONS)) {
    await tellInputs(deps, id).catch((error: unknown) =>
      deps.log.warn({ err: loggable(error), session: id }, 'a session could not be told of its resources yet'),
    );
  }
}
