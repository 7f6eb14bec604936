/** A Temporal server of the operator's (`TEMPORAL_ADDRESS`): used as it is, after a look at what sessions need. */
import { StartError } from './data-folder.ts';
import { connectTemporal, type TemporalTarget } from './temporal-connection.ts';
import { ensureSearchAttributes, RETENTION_DAYS, retentionDays } from './temporal-namespace.ts';

/**
 * Registers the search attributes and looks at the retention.
 * @returns a warning for the operator when closed runs are deleted too early, else undefined.
 * @throws StartError when the server or the namespace cannot be used.
 */
export async function prepareGivenTemporal(target: TemporalTarget): Promise<string | undefined> {
  const { address, namespace } = target;
  const where = `The Temporal server is "${address}", its namespace "${namespace}"`;
  const connection = await connectTemporal(target).catch((error: Error) => {
    throw new StartError(
      `${where}, and the server does not answer: ${error.message}. Correct or unset the TEMPORAL_* variables.`,
    );
  });
  try {
    const days = await retentionDays(connection, namespace);
    await ensureSearchAttributes(connection, namespace);
    if (days >= RETENTION_DAYS) return undefined;
    return (
      `The Temporal namespace "${namespace}" keeps closed runs for ${days} days; sessions need ${RETENTION_DAYS}. ` +
      `Set it: temporal operator namespace update --retention ${RETENTION_DAYS}d -n ${namespace}`
    );
  } catch (error) {
    throw new StartError(
      `${where}, and the namespace cannot be used: ${(error as Error).message}. Make the namespace, or set TEMPORAL_NAMESPACE.`,
    );
  } finally {
    await connection.close();
  }
}
