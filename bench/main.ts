/**
 * `npm run bench [-- --json] [--only SUBJECT,…]`: what Longhand costs and how long it takes, beside bare Temporal and a
 * bare Node server under gVisor in the same run. Exit code 1 when a target is missed, 2 when it was called wrongly.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { cold } from './cold.ts';
import { crowd } from './crowd.ts';
import { type Figure, missed, table, withVerdicts } from './figures.ts';
import { growth } from './growth.ts';
import { idle } from './idle.ts';
import { interrupt } from './interrupt.ts';
import { message } from './message.ts';
import { outcome } from './outcome.ts';
import { resume } from './resume.ts';
import { round } from './round.ts';
import type { Bench, Subject } from './subject.ts';
import { openWorld, type World } from './world.ts';
import { measureYardstick, type Yardstick, yardstick } from './yardstick.ts';

/** In the order in which they are measured: what kills workers or fills the machine comes late. */
const SUBJECTS: Record<string, Subject> = {
  idle,
  yardstick,
  message,
  round,
  cold,
  growth,
  outcome,
  interrupt,
  resume,
  crowd,
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let chosen: string[];
  let json: boolean;
  try {
    const { values } = parseArgs({ args, options: { json: { type: 'boolean' }, only: { type: 'string' } } });
    chosen = values.only?.split(',') ?? Object.keys(SUBJECTS);
    json = values.json === true;
    const unknown = chosen.find((name) => !SUBJECTS[name]);
    if (unknown !== undefined) throw new Error(`There is no subject "${unknown}".`);
  } catch (error) {
    console.error(`${(error as Error).message}\nUsage: npm run bench [-- --json] [--only SUBJECT,…]`);
    console.error(`Subjects: ${Object.keys(SUBJECTS).join(', ')}.`);
    return 2;
  }
  const { figures, failed } = await measure(chosen);
  if (json) console.log(JSON.stringify(withVerdicts(figures), null, 2));
  else console.log(table(figures));
  return failed || missed(figures).length > 0 ? 1 : 0;
}

/** What one subject cannot measure does not cost what the others have. */
async function measure(chosen: string[]): Promise<{ figures: Figure[]; failed: boolean }> {
  let world: Promise<World> | undefined;
  let yard: Promise<Yardstick> | undefined;
  const bench: Bench = {
    world() {
      world ??= openWorld();
      return world;
    },
    yardstick() {
      yard ??= bench.world().then(measureYardstick);
      return yard;
    },
  };
  const figures: Figure[] = [];
  let failed = false;
  // Sandboxes and servers would outlive this process.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.error(`${signal}: stopping what was started …`);
      const stopped = world?.then((one) => one.stop()).catch(() => undefined);
      void Promise.resolve(stopped).finally(() => process.exit(130));
    });
  }
  try {
    for (const [name, subject] of Object.entries(SUBJECTS)) {
      if (!chosen.includes(name)) continue;
      console.error(`${name} (load ${loadavg()[0]?.toFixed(1)}) …`);
      try {
        const found = await subject(bench);
        console.error(table(found));
        figures.push(...found);
      } catch (error) {
        console.error(error);
        failed = true;
      }
    }
  } finally {
    await (await world)?.stop();
  }
  return { figures, failed };
}
