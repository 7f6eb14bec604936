/** `longhand setup`: puts a PostgreSQL and a Temporal server of the operator's in order. Run it at every new version. */
import { readSettings, SettingsError } from './settings.ts';
import { SetupError, setUpDatabase, setUpTemporal } from './setup.ts';
import { temporalTarget } from './temporal-connection.ts';

/** @returns 0 when everything that was named is in order, 1 when something could not be, 2 when nothing was named. */
export async function setupCommand(args: string[]): Promise<number> {
  const say = (line: string) => console.log(line);
  try {
    if (args.length > 0) throw new SettingsError(`longhand setup takes no arguments (got ${args.join(' ')}).`);
    const { DATABASE_URL: databaseUrl } = readSettings(process.env);
    const temporal = temporalTarget(process.env);
    if (!databaseUrl && !temporal) {
      throw new SettingsError(
        'There is nothing to set up: `longhand dev` makes its own servers. For servers of yours set DATABASE_URL and TEMPORAL_ADDRESS.',
      );
    }
    if (databaseUrl) await setUpDatabase(databaseUrl, say);
    else say('Database: DATABASE_URL is not set; left out.');
    if (temporal) await setUpTemporal(temporal, say);
    else say('Temporal: TEMPORAL_ADDRESS is not set; left out.');
    return 0;
  } catch (error) {
    if (!(error instanceof SettingsError) && !(error instanceof SetupError)) throw error;
    console.error(`setup: ${error.message}`);
    return error instanceof SettingsError ? 2 : 1;
  }
}
