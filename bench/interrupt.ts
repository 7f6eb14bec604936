/** From an interrupt to the end of the turn; also when the worker that holds the work is dead. */
import { startWorkerProcess } from '../test/support/worker-process.ts';
import { type Figure, figure, sleep } from './figures.ts';
import type { Bench } from './subject.ts';
import type { World } from './world.ts';

const TIMES = 8;
const DEAD_TIMES = 3;

/** What is interrupted, and the event after which it is under way. */
const THOUGHT = { text: 'long thought', begun: 'event_delta' };
const COMMAND = { text: 'long command', begun: 'agent.tool_use' };

export async function interrupt(bench: Bench): Promise<Figure[]> {
  const world = await bench.world();
  const thinking = await world.newSession();
  const working = await world.newSession(true);
  await world.turn(working, 'one round');
  const thought: number[] = [];
  const command: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    thought.push(await stopped(world, thinking, THOUGHT));
    command.push(await stopped(world, working, COMMAND));
  }
  const { hands, brain, env } = world.stack;
  const withoutHands: number[] = [];
  const withoutBrain: number[] = [];
  for (let i = 0; i < DEAD_TIMES; i++) {
    withoutHands.push(await stopped(world, working, COMMAND, () => hands.kill()));
    await hands.start();
    // The brain that samples dies; another, which comes later, has the workflow.
    const other = { part: await startAfter(world, thinking) };
    withoutBrain.push(other.part.ms);
    await other.part.stop();
  }
  return [
    figure('interrupt of a model request → turn over', thought, [{ of: 'p95', atMost: 1_000 }]),
    figure('interrupt of a command → turn over', command, [{ of: 'p95', atMost: 1_000 }]),
    figure('interrupt of a command whose hands worker is dead → turn over', withoutHands, [
      { of: 'p95', atMost: 6_000 },
    ]),
    figure('interrupt of a model request whose brain is dead → turn over', withoutBrain, [
      { of: 'p95', atMost: 6_000 },
    ]),
  ];

  async function startAfter(here: World, session: string) {
    let second: Awaited<ReturnType<typeof startWorkerProcess>> | undefined;
    const ms = await stopped(here, session, THOUGHT, async () => {
      second = await startWorkerProcess('brain', env.brain);
      await brain.kill();
    });
    await brain.start();
    return { ms, stop: async () => void (await second?.stop()) };
  }
}

async function stopped(
  world: World,
  session: string,
  { text, begun }: typeof THOUGHT,
  before?: () => Promise<unknown>,
): Promise<number> {
  const stream = await world.watch(session);
  await world.say(session, text);
  await stream.until(begun);
  await sleep(300);
  await before?.();
  const asked = Date.now();
  // Answered by the workflow, which may have to move to another brain first.
  await world.interrupt(session);
  const idle = await stream.until('session.status_idle');
  stream.stop();
  return idle.at - asked;
}
