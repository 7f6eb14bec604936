/** Turn 500 beside turn 10: history must grow by what is new, and no turn may cost more for those before it. */
import { type Figure, figure, single } from './figures.ts';
import type { Bench } from './subject.ts';
import { cpuPer, type World } from './world.ts';

const EARLY = 5;
const LATE = 495;
/** Turns measured at each of the two. */
const WINDOW = 12;

export async function growth(bench: Bench): Promise<Figure[]> {
  const world = await bench.world();
  const session = await world.newSession();
  let turns = 0;
  const upTo = async (turn: number) => {
    for (; turns < turn; turns++) await world.turn(session, `turn ${turns}`);
  };
  await upTo(EARLY);
  const early = await windowOf(world, session);
  turns += WINDOW;
  await upTo(LATE);
  const late = await windowOf(world, session);
  const share = (of: keyof typeof early) => (100 * late[of].p50) / early[of].p50;
  return [
    ...[early, late].flatMap((one, index) => {
      const when = index === 0 ? 'around turn 10' : 'around turn 500';
      return [
        { ...one.ms, name: `a turn, ${when}` },
        { ...one.bytes, name: `history of a turn, ${when}` },
        { ...one.cpu, name: `processor time of a turn, ${when}` },
      ];
    }),
    single('history of turn 500 by that of turn 10', share('bytes'), '%', [{ atLeast: 95 }, { atMost: 105 }]),
    single('time of turn 500 by that of turn 10', share('ms'), '%', [{ atMost: 120 }]),
    single('processor time of turn 500 by that of turn 10', share('cpu'), '%', [{ atMost: 120 }]),
  ];
}

async function windowOf(world: World, session: string) {
  const ms: number[] = [];
  const bytes: number[] = [];
  const before = world.cpu();
  for (let i = 0; i < WINDOW; i++) {
    const start = await world.history(session);
    const { sent, events } = await world.turn(session, 'measured turn');
    const end = await world.history(session);
    ms.push((events.at(-1)?.at ?? Number.NaN) - sent);
    // A run that was continued begins with what it carries: its own cost, not the turn's.
    if (start.run === end.run) bytes.push(end.bytes - start.bytes);
  }
  const cpu = cpuPer(before, world.cpu(), WINDOW).reduce((sum, part) => sum + part.ms, 0);
  return { ms: figure('', ms), bytes: figure('', bytes, [], 'bytes'), cpu: single('', cpu, 'ms') };
}
