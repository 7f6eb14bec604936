/** Thirty-two sessions in tool rounds at once, each with a sandbox of its own. */
import { type Figure, figure, single, sleep } from './figures.ts';
import type { Bench } from './subject.ts';
import { cpuPer } from './world.ts';

const SESSIONS = 32;
/** Sandboxes made at once: each takes a processor for half a second. */
const AT_ONCE = 4;
const SETTLE_MS = 2_000;
const COUNTED_MS = 15_000;
/** A round is three activities (`sample`, `execute`, at most one `publish`). */
const ACTIVITIES_PER_ROUND = 3;

export async function crowd(bench: Bench): Promise<Figure[]> {
  const { activitiesPerSecond } = await bench.yardstick();
  const world = await bench.world();
  const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => world.newSession(true)));
  for (let i = 0; i < SESSIONS; i += AT_ONCE) {
    await Promise.all(sessions.slice(i, i + AT_ONCE).map((session) => world.turn(session, 'one round')));
  }
  await sleep(SETTLE_MS);
  const idle = world.cpu();
  await sleep(SETTLE_MS);
  const idleCpu = cpuPer(idle, world.cpu(), SETTLE_MS / 1_000).find(({ part }) => part === 'sandboxes');
  const streams = await Promise.all(sessions.map((session) => world.watch(session)));
  await Promise.all(sessions.map((session) => world.say(session, 'many rounds')));
  await sleep(SETTLE_MS);
  const before = world.cpu();
  const began = Date.now();
  await sleep(COUNTED_MS);
  const ended = Date.now();
  const after = world.cpu();
  const results = streams.map(({ events }) =>
    events.filter(({ type, at }) => type === 'agent.tool_result' && at > began && at <= ended).map(({ at }) => at),
  );
  const rounds = results.flat().length;
  const perSecond = rounds / ((ended - began) / 1_000);
  await Promise.all(sessions.map((session) => world.interrupt(session)));
  await Promise.all(streams.map((stream) => stream.until('session.status_idle')));
  for (const stream of streams) stream.stop();
  const cpu = cpuPer(before, after, rounds);
  return [
    single(`tool rounds of ${SESSIONS} sessions at once`, perSecond, '1/s', [
      { atLeast: (0.8 * activitiesPerSecond) / ACTIVITIES_PER_ROUND },
    ]),
    figure(
      `a round of one of ${SESSIONS} sessions`,
      results.flatMap((times) => times.slice(1).map((at, i) => at - (times[i] ?? at))),
    ),
    single(
      'processor time of a round then, all',
      cpu.reduce((sum, { ms }) => sum + ms, 0),
      'ms',
    ),
    ...cpu.map(({ part, ms }) => single(`processor time of a round then, ${part}`, ms, 'ms')),
    single(`processor time of ${SESSIONS} idle sandboxes`, idleCpu?.ms ?? Number.NaN, 'ms/s'),
  ];
}
