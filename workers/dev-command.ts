/** `longhand dev` on a terminal: what it prints, and how it ends. */
import { collectAfterStart } from './collect-garbage.ts';
import type { Dev } from './dev.ts';
import { readSettings, SettingsError } from './settings.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs until it is told to stop. @returns 0 after an orderly stop. */
export async function devCommand(args: string[]): Promise<number> {
  if (args.length > 0) {
    console.error(`longhand dev takes no arguments (got ${args.join(' ')}). Settings are environment variables.`);
    return 2;
  }
  let settings: ReturnType<typeof readSettings>;
  try {
    settings = readSettings(process.env);
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    console.error(error.message);
    return 2;
  }
  const told = untilTold();
  // Imported late: a wrong setting is told before everything is loaded.
  const { startDev } = await import('./dev.ts');
  const starting = startDev({ settings, env: process.env, onLine: (line) => console.error(line) });
  // A signal during the start waits for it: what has begun to start can only then be stopped in order.
  const dev = await starting;
  console.log(summary(dev, settings.MODEL_API_KEY !== undefined));
  collectAfterStart();
  const why = await told;
  console.error(`${why}: stopping. Work under way is handed over (up to 30 s).`);
  await dev.stop();
  return 0;
}

/** Resolves with the reason to stop. */
async function untilTold(): Promise<string> {
  return await new Promise((resolve) => {
    for (const signal of SIGNALS) process.on(signal, () => resolve(signal));
    // The Node that re-executed this one is gone (see bin/longhand.mjs).
    if (process.channel) process.once('disconnect', () => resolve('The terminal’s process ended'));
    process.channel?.unref();
    process.on('uncaughtException', (error) => {
      console.error(error);
      process.exitCode = 1;
      resolve('An error that nothing handled');
    });
  });
}

function summary(dev: Dev, hasModelKey: boolean): string {
  const lines = [
    'Longhand runs.',
    `  API          ${dev.apiUrl}`,
    ...(dev.temporal.uiUrl ? [`  Temporal UI  ${dev.temporal.uiUrl}`] : []),
    `  Temporal     ${dev.temporal.address} (namespace ${dev.temporal.namespace})`,
    `  Data         ${dev.layout.home} (logs in ${dev.layout.home}/logs)`,
    `  API key      ${keyLine(dev)}`,
  ];
  if (!hasModelKey) lines.push('  Model        no key: set MODEL_API_KEY, or turns end with an authentication error');
  lines.push('Point an SDK at it: base URL as above, and the API key. Ctrl-C stops everything.');
  return lines.join('\n');
}

/** Shown once, and only to a person: logs are kept for long. */
function keyLine(dev: Dev): string {
  if (dev.apiKeyMade && process.stdout.isTTY) return `${dev.apiKey} (made now; kept in ${dev.layout.apiKey})`;
  return process.env.LONGHAND_API_KEY ? 'LONGHAND_API_KEY' : `in ${dev.layout.apiKey}`;
}
