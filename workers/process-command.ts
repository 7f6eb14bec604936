/**
 * `longhand api|brain|hands`: one part alone. What the parts have in common: a door that lets no foreign secret in, a
 * clean start, a clean stop, and last words that a person can read.
 */

import { collectAfterStart } from './collect-garbage.ts';
import { StartError } from './data-folder.ts';
import { forgetAnthropic } from './forget-anthropic.ts';
import { watchForHang } from './hang-watch.ts';
import { assertOnlyOwnSecrets } from './own-settings.ts';
import { assertServersReady } from './readiness.ts';
import { keepReadyFile } from './ready-file.ts';
import { type ProcessName, readSettings, type Settings, SettingsError } from './settings.ts';
import { type TemporalTarget, temporalTarget } from './temporal-connection.ts';

/** A part that runs. */
export interface RunningPart {
  /** Takes no new work, lets what is under way finish or hands it over, within 30 s. Safe to repeat. */
  stop(): Promise<void>;
  /** Settles when it has ended; rejects when it failed. */
  done: Promise<void>;
  /** Whether it still takes work: one that failed may be long in ending. Absent: it does, as long as it runs. */
  takesWork?(): boolean;
}

/** What every part is given. */
export interface PartStart {
  settings: Settings;
  temporal: TemporalTarget;
  /** The arguments after the command's name. */
  args: string[];
  /** Writes a line for the operator. */
  log(message: string): void;
}

/**
 * Starts a part and runs it until SIGTERM or SIGINT. Says `<name> ready` on stdout once it takes work.
 * @returns exit code: 0 after an orderly stop, 1 when it could not start or failed, 2 when it was called or set wrongly.
 */
export async function runPart(
  name: ProcessName,
  args: string[],
  start: (given: PartStart) => Promise<RunningPart>,
): Promise<number> {
  const hasParent = process.connected === true;
  const log = (message: string) => void process.stderr.write(`${name}: ${message}\n`);
  try {
    assertOnlyOwnSecrets(name, process.env);
    forgetAnthropic();
    const settings = readSettings(process.env);
    const temporal = temporalTarget(process.env);
    if (!temporal) {
      throw new SettingsError(
        'TEMPORAL_ADDRESS is not set. Give host:port of a Temporal server, or use `longhand dev`.',
      );
    }
    const told = untilTold();
    await assertServersReady(temporal, name === 'hands' ? undefined : settings.DATABASE_URL);
    const part = await start({ settings, temporal, args, log });
    // The parent may have died while this started, before anything listened.
    if (hasParent && !process.connected) await part.stop();
    else process.stdout.write(`${name} ready\n`);
    const notReady = await keepReadyFile(settings.LONGHAND_READY_FILE, part.takesWork).catch(async (error: unknown) => {
      await part.stop();
      throw new SettingsError(`LONGHAND_READY_FILE cannot be written: ${(error as Error).message}.`);
    });
    collectAfterStart();
    const watch = watchForHang(part);
    void told.then(watch.stop);
    await Promise.race([told.then(notReady).then(() => part.stop()), part.done, watch.hung]).finally(notReady);
    await Promise.race([part.done, watch.hung]);
    watch.stop();
    return 0;
  } catch (error) {
    log(error instanceof Error ? error.message : String(error));
    return error instanceof SettingsError || error instanceof StartError ? error.exitCode : 1;
  }
}

/** Resolves on the first signal to stop; `disconnect`: the parent is gone, whatever it died of. */
function untilTold(): Promise<void> {
  // A listener for `disconnect` alone would keep this process alive after its work.
  process.channel?.unref();
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.on(signal, () => resolve());
  });
}
