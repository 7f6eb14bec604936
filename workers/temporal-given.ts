/** A Temporal server of the operator's (`TEMPORAL_ADDRESS`): used as it is, after a look at what sessions need. */
import { StartError } from './data-folder.ts';
import { assertTemporalReady, inDays, NotReadyError, reasonOf } from './readiness.ts';
import { connectTemporal, type TemporalTarget } from './temporal-connection.ts';
import { RETENTION_DAYS, retentionDays } from './temporal-namespace.ts';

/**
 * @returns a warning for the operator when closed runs are deleted earlier than sessions want, else undefined.
 * @throws StartError when the server or the namespace cannot be used as it is.
 */
export async function examineGivenTemporal(target: TemporalTarget): Promise<string | undefined> {
  const { address, namespace } = target;
  const connection = await connectTemporal(target).catch((error: unknown) => {
    throw new StartError(
      `The Temporal server at "${address}" does not answer: ${reasonOf(error)}. Correct or unset the TEMPORAL_* variables.`,
    );
  });
  try {
    await assertTemporalReady(connection, namespace);
    const days = await retentionDays(connection, namespace);
    if (days >= RETENTION_DAYS) return undefined;
    return `The Temporal namespace "${namespace}" keeps closed runs for ${inDays(days)}; sessions want ${RETENTION_DAYS} days. \`longhand setup\` raises it.`;
  } catch (error) {
    throw error instanceof NotReadyError ? new StartError(error.message) : error;
  } finally {
    await connection.close();
  }
}
