/** Gives the commands of `client/command-line/` what they work with: this terminal, and the API that the settings name. */
import { readFile } from 'node:fs/promises';
import Anthropic from '@anthropic-ai/sdk';
import type { CommandContext, Subcommand } from '../client/command-line/context.ts';
import { explain } from '../client/command-line/failure.ts';
import { homeLayout, StartError } from './data-folder.ts';
import { forgetAnthropic } from './forget-anthropic.ts';
import { readApiPlace } from './places.ts';
import { isLoopback, readSettings } from './settings.ts';

const USUAL_URL = 'http://127.0.0.1:8787';

/** Runs a subcommand on this process's terminal. @throws errors with an `exitCode`, for people. */
export async function runSubcommand({ help, run }: Subcommand, args: string[]): Promise<number> {
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  if (options.includes('--help') || options.includes('-h')) {
    console.log(help);
    return 0;
  }
  endQuietlyWithTheReader();
  let baseURL = USUAL_URL;
  let abort: AbortController | undefined;
  const context: CommandContext = {
    async api() {
      const place = await apiPlace(process.env);
      baseURL = place.baseURL;
      return createClient(place);
    },
    out: process.stdout,
    err: process.stderr,
    input: process.stdin,
    env: process.env,
    interruption() {
      if (abort) return abort.signal;
      const controller = new AbortController();
      abort = controller;
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => controller.abort());
      return controller.signal;
    },
  };
  try {
    return await run(args, context);
  } catch (error) {
    throw explain(error, baseURL);
  }
}

/**
 * The API of the settings, and the key for it.
 * @throws StartError without a key; the data folder's own key is never sent to another machine.
 */
export async function apiPlace(env: NodeJS.ProcessEnv): Promise<{ baseURL: string; apiKey: string }> {
  const settings = readSettings(env);
  const layout = homeLayout(settings.LONGHAND_HOME);
  const baseURL = settings.LONGHAND_URL ?? (await readApiPlace(layout.run)) ?? USUAL_URL;
  const kept =
    settings.LONGHAND_URL === undefined || isLoopback(new URL(baseURL).hostname)
      ? (await readFile(layout.apiKey, 'utf8').catch(() => '')).trim()
      : '';
  const apiKey = settings.LONGHAND_API_KEY ?? kept;
  if (apiKey !== '') return { baseURL, apiKey };
  throw new StartError(
    `There is no API key for ${baseURL}: set LONGHAND_API_KEY${kept === '' && settings.LONGHAND_URL === undefined ? `, or LONGHAND_HOME to the data folder of a Longhand that has run (${layout.home} has no key)` : ''}.`,
  );
}

function createClient({ baseURL, apiKey }: { baseURL: string; apiKey: string }): Anthropic {
  forgetAnthropic();
  return new Anthropic({ baseURL, apiKey, authToken: null });
}

/** `longhand … | head` closes the pipe when it has enough: that is no error. */
function endQuietlyWithTheReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
}
