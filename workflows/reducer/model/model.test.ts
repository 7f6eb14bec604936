/**
 * Random sessions against the reducer. `LONGHAND_MODEL_RUNS` is the number of sequences (default 1,000);
 * `LONGHAND_MODEL_SEED` repeats a run: a failure prints its seed and the shortest sequence that still fails.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { busy } from '../step.ts';
import { type Action, actions } from './actions.ts';
import { createWorld, type World } from './world.ts';

const RUNS = Number(process.env.LONGHAND_MODEL_RUNS ?? 1_000);
// In CI always the same ones: a change is judged by what it does, not by its luck.
const SEED = process.env.LONGHAND_MODEL_SEED ?? (process.env.CI ? '1' : undefined);
const parameters = { numRuns: RUNS, ...(SEED ? { seed: Number(SEED) } : {}) };
const MINUTES = 60 * 60_000;

const QUIET = { thinking: false, texts: 1, tools: [], stop: 'end_turn', compactNext: false } as const;

/** The world does its part until nothing is left to do. */
function settle(world: World): void {
  for (
    let rounds = 0;
    busy(world.state) || world.outstanding.provisioning || world.outstanding.gradings.size > 0;
    rounds++
  ) {
    if (rounds > 500) throw new Error(`The session never comes to rest: ${JSON.stringify(world.state.turn)}`);
    const { outstanding } = world;
    const next: Action = outstanding.sample
      ? { do: 'reply', reply: { ...QUIET, tools: [] } }
      : outstanding.gradings.size > 0
        ? { do: 'grade', pick: 0, verdict: 'satisfied' }
        : outstanding.calls.size > 0
          ? { do: 'finish', pick: 0, how: 'ok' }
          : outstanding.provisioning
            ? { do: 'provisioned' }
            : { do: 'timer', pick: 0 };
    world.perform(next);
  }
}

/** People answer whatever waits for them. */
function answerAll(world: World): void {
  for (let rounds = 0; world.state.turn?.phase === 'waiting'; rounds++) {
    if (rounds > 100) throw new Error('People answer, and the session waits for ever.');
    const [call] = world.state.turn.calls.filter((one) => one.state === 'ask' || one.state === 'custom');
    const target = { among: 'waiting', pick: 0 } as const;
    world.perform({
      do: 'post',
      events: [
        call?.state === 'custom'
          ? { post: 'custom', target, isError: false }
          : { post: 'confirm', target, allow: true },
      ],
    });
    settle(world);
  }
}

test(
  'whatever happens to a session, its log keeps the rules and it comes to rest',
  () => {
    fc.assert(
      fc.property(actions, (sequence) => {
        const world = createWorld({ outputs: true });
        for (const action of sequence) world.perform(action);
        settle(world);
        answerAll(world);
        if (world.state.ended) return;
        expect(world.state.turn).toBeNull();
        expect(world.state.queue.filter((one) => one.type === 'user.message')).toEqual([]);
        world.perform({ do: 'end', how: 'archive' });
        expect(world.state.status).toBe('terminated');
      }),
      parameters,
    );
  },
  MINUTES,
);
