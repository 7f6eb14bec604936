/** `longhand setup`: makes what the parts need on the servers that they are given. Safe to repeat. */
import { databaseState, migrateDatabase } from '../store/database.ts';
import { messageOf } from './readiness.ts';
import { readSettings, SettingsError } from './settings.ts';
import { connectTemporal, type TemporalTarget, temporalTarget } from './temporal-connection.ts';
import {
  createNamespace,
  ensureRetention,
  ensureSearchAttributes,
  missingSearchAttributes,
  namespaceRetentionDays,
  RETENTION_DAYS,
} from './temporal-namespace.ts';

/** A new namespace is known to all of the server's processes only after its cache was refreshed (10 s). */
const NAMESPACE_MS = 30_000;

/** Tells a line of what was done or found. */
type Say = (line: string) => void;

/** @returns 0 when everything is ready, 1 when something could not be done, 2 when it was called or set wrongly. */
export async function setupCommand(args: string[]): Promise<number> {
  if (args.length > 0) throw new SettingsError(`longhand setup takes no arguments (got ${args.join(' ')}).`);
  const { DATABASE_URL: databaseUrl } = readSettings(process.env);
  const temporal = temporalTarget(process.env);
  if (!databaseUrl && !temporal) {
    throw new SettingsError(
      'Neither DATABASE_URL nor TEMPORAL_ADDRESS is set: `longhand dev` sets up its own servers by itself.',
    );
  }
  let failed = false;
  const attempt = async (what: string, work: (say: Say) => Promise<void>) => {
    try {
      await work((line) => console.log(`${what}: ${line}`));
    } catch (error) {
      failed = true;
      console.error(`${what}: ${messageOf(error)}`);
    }
  };
  if (databaseUrl) await attempt('database', (say) => setUpDatabase(databaseUrl, say));
  if (temporal) await attempt('temporal', (say) => setUpTemporal(temporal, say));
  return failed ? 1 : 0;
}

async function setUpDatabase(url: string, say: Say): Promise<void> {
  const before = await databaseState(url);
  if (before === 'new') throw new Error('its tables are those of a newer Longhand, and were left as they are.');
  if (before === 'current') return say('its tables are up to date.');
  await migrateDatabase(url);
  say(before === 'empty' ? 'made the tables.' : 'brought the tables up to date.');
}

/** Makes the namespace, its retention and its search attributes, as far as they are not there. */
export async function setUpTemporal(target: TemporalTarget, say: Say): Promise<void> {
  const { namespace } = target;
  const connection = await connectTemporal(target);
  try {
    const days = await namespaceRetentionDays(connection, namespace);
    if (days === undefined) {
      await createNamespace(connection, namespace);
      say(`made the namespace "${namespace}" with ${RETENTION_DAYS} days’ retention.`);
    } else if (days < RETENTION_DAYS) {
      await ensureRetention(connection, namespace);
      say(`raised the retention of "${namespace}" from ${days} to ${RETENTION_DAYS} days.`);
    } else {
      say(`"${namespace}" keeps closed runs for ${days} days.`);
    }
    const missing = await settled(() => missingSearchAttributes(connection, namespace));
    await settled(() => ensureSearchAttributes(connection, namespace));
    await settled(async () => {
      const left = await missingSearchAttributes(connection, namespace);
      if (left.length > 0) throw new Error(`the search attributes ${left.join(', ')} did not appear.`);
    });
    say(missing.length > 0 ? `added the search attributes ${missing.join(', ')}.` : 'its search attributes are there.');
  } finally {
    await connection.close();
  }
}

/** Repeats what fails while the server has not yet heard of its own change everywhere. */
async function settled<T>(work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + NAMESPACE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
