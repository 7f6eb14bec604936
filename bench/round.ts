/** One tool round: from the model's last byte to its next request, `true` in a warm shell; and what it costs. */
import { type Figure, figure, single, sleep } from './figures.ts';
import type { Bench } from './subject.ts';
import { cpuPer } from './world.ts';

const ROUNDS = 20;
const TURNS = 4;

export async function round(bench: Bench): Promise<Figure[]> {
  const { stepMs } = await bench.yardstick();
  const world = await bench.world();
  const gaps: number[] = [];
  const events: number[] = [];
  const bytes: number[] = [];
  const session = await world.newSession(true);
  await world.turn(session, 'one round');
  await sleep(1_500);
  const before = world.cpu();
  for (let i = 0; i < TURNS; i++) {
    const start = await world.history(session);
    const { requests } = await world.turn(session, 'twenty rounds');
    const end = await world.history(session);
    requests.slice(1).forEach((request, index) => {
      gaps.push(request.at - (requests[index]?.endedAt ?? Number.NaN));
    });
    if (start.run !== end.run) continue;
    events.push((end.events - start.events) / (ROUNDS + 1));
    bytes.push((end.bytes - start.bytes) / (ROUNDS + 1));
  }
  const cpu = cpuPer(before, world.cpu(), TURNS * ROUNDS);
  const total = cpu.reduce((sum, { ms }) => sum + ms, 0);
  return [
    figure('tool round: the model’s last byte → its next request', gaps, [
      { of: 'p50', atMost: 60 },
      { of: 'p50', atMost: 4 * stepMs },
    ]),
    figure('history of a tool round', events, [{ of: 'p50', atMost: 15 }], 'events'),
    figure('history of a tool round', bytes, [], 'bytes'),
    single('processor time of a tool round, all', total, 'ms'),
    ...cpu.map(({ part, ms }) => single(`processor time of a tool round, ${part}`, ms, 'ms')),
  ];
}
