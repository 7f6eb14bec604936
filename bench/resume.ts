/**
 * Sessions in the middle of tool rounds, two brains and two hands workers; one of a kind ends. How long does the longest
 * pause of each session get?
 */
import { startWorkerProcess, type WorkerProcess } from '../test/support/worker-process.ts';
import { type Figure, figure, sleep } from './figures.ts';
import type { Bench } from './subject.ts';
import type { Seen, World } from './world.ts';

const SESSIONS = 6;
const BEFORE_MS = 3_000;
const AFTER_MS = 16_000;

export async function resume(bench: Bench): Promise<Figure[]> {
  const world = await bench.world();
  const { stack } = world;
  const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => world.newSession(true)));
  // Each has its sandbox before anything dies.
  for (const session of sessions) await world.turn(session, 'one round');
  const figures: Figure[] = [];
  for (const part of ['brain', 'hands'] as const) {
    for (const how of ['SIGKILL', 'SIGTERM'] as const) {
      const second = await startWorkerProcess(part, stack.env[part]);
      const pauses = await pausesAround(world, sessions, () => end(stack[part], how));
      figures.push(
        figure(
          `${how} of one of two ${part === 'brain' ? 'brains' : 'hands workers'}: a session’s longest pause`,
          pauses,
          [{ of: 'p95', atMost: how === 'SIGKILL' ? 6_000 : 1_000 }],
        ),
      );
      await stack[part].start();
      await second.stop();
    }
  }
  return figures;
}

async function end(worker: WorkerProcess, how: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  if (how === 'SIGKILL') await worker.kill();
  // It hands over while the others go on.
  else worker.stop().catch(() => undefined);
}

async function pausesAround(world: World, sessions: string[], act: () => Promise<void>): Promise<number[]> {
  const streams = await Promise.all(sessions.map((session) => world.watch(session)));
  await Promise.all(sessions.map((session) => world.say(session, 'many rounds')));
  await sleep(BEFORE_MS);
  const began = Date.now();
  await act();
  await sleep(AFTER_MS);
  const over = Date.now();
  const pauses = streams.map(({ events }) => longestPause(events, began, over));
  await Promise.all(sessions.map((session) => world.interrupt(session)));
  await Promise.all(streams.map((stream) => stream.until('session.status_idle')));
  for (const stream of streams) stream.stop();
  return pauses;
}

/** Between two events of which the second came after `from`; one that has not ended counts up to `to`. ms */
function longestPause(events: Seen[], from: number, to: number): number {
  const times = [...events.map(({ at }) => at).filter((at) => at <= to), to];
  return Math.max(...times.map((at, i) => (at > from ? at - Math.max(times[i - 1] ?? from, from) : 0)));
}
