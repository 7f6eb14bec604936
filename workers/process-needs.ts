/** What a part that runs alone must be given, each with the line that says so. */
import { type ProcessName, type Settings, SettingsError } from './settings.ts';

/** @throws SettingsError when there are arguments. */
export function noArguments(name: ProcessName, args: string[]): void {
  if (args.length === 0) return;
  throw new SettingsError(
    `longhand ${name} takes no arguments (got ${args.join(' ')}). Settings are environment variables.`,
  );
}

/** @throws SettingsError when no database is named: the embedded one belongs to `longhand dev`. */
export function requireDatabase({ DATABASE_URL: url }: Settings): string {
  if (url) return url;
  throw new SettingsError(
    'DATABASE_URL is not set. Give a PostgreSQL, such as postgres://user:password@host/longhand, or use `longhand dev`.',
  );
}
