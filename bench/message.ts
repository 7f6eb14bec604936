/** The way of a message: to the model, and of its words back. */
import { type Figure, figure, timed } from './figures.ts';
import type { Bench } from './subject.ts';
import type { TurnSeen, World } from './world.ts';

const WARM = 60;
const FRESH = 30;
const SLOW = 15;

export async function message(bench: Bench): Promise<Figure[]> {
  const world = await bench.world();
  const warm = await world.newSession();
  for (let i = 0; i < 5; i++) await world.turn(warm, 'warm up');
  const turns: TurnSeen[] = [];
  for (let i = 0; i < WARM; i++) turns.push(await world.turn(warm, `question ${i}`));
  const fresh: number[] = [];
  for (let i = 0; i < FRESH; i++) fresh.push(toModel(await world.turn(await world.newSession(), 'first')));
  const slow: TurnSeen[] = [];
  for (let i = 0; i < SLOW; i++) slow.push(await world.turn(warm, 'slow words'));
  const listed = await timed(20, () => world.client.beta.sessions.events.list(warm, { limit: 500 }));
  return [
    figure('POST of a message → request at the model, warm session', turns.map(toModel), [
      { of: 'p50', atMost: 25 },
      { of: 'p95', atMost: 60 },
    ]),
    figure('POST of a message → request at the model, fresh session', fresh, [{ of: 'p50', atMost: 60 }]),
    figure('the model’s first words → event_delta at an SSE client', slow.map(firstWords), [{ of: 'p50', atMost: 10 }]),
    figure('the model’s last byte → agent.message at an SSE client', turns.map(lastByte), [{ of: 'p50', atMost: 30 }]),
    figure('the turn’s end after the model’s last byte, at an SSE client', turns.map(end)),
    figure('list of the newest 500 events', listed),
    ...(await quietly(world)),
  ];
}

const toModel = ({ sent, requests }: TurnSeen) => (requests[0]?.at ?? Number.NaN) - sent;
const at = ({ events }: TurnSeen, type: string) => events.find((event) => event.type === type)?.at ?? Number.NaN;
const firstWords = (turn: TurnSeen) => at(turn, 'event_delta') - (turn.requests[0]?.wordsAt ?? Number.NaN);
const lastByte = (turn: TurnSeen) => at(turn, 'agent.message') - (turn.requests[0]?.endedAt ?? Number.NaN);
const end = (turn: TurnSeen) => at(turn, 'session.status_idle') - (turn.requests[0]?.endedAt ?? Number.NaN);

/** History of a turn without tools. */
async function quietly(world: World): Promise<Figure[]> {
  const session = await world.newSession();
  await world.turn(session, 'first');
  const before = await world.history(session);
  await world.turn(session, 'second');
  const after = await world.history(session);
  return [figure('history of a turn without tools', [after.events - before.events], [], 'events')];
}
