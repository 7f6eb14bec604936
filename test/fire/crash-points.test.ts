/**
 * SIGKILL at named points, with fifty readers watching each time: the log ends as that of an undisturbed run, a command
 * that appends a line has appended one, and no reader saw a gap, a repeat, or what the log does not hold.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Battlefield, openBattlefield, until } from './battlefield.ts';
import { COMMAND_S, LIFE, type LifeHooks, live, logOf } from './life.ts';
import { normalLog } from './normal-log.ts';
import { startReaders } from './readers.ts';

let field: Battlefield;
let undisturbed: unknown[];
beforeAll(async () => {
  // Runs as short as they come, so that every life goes through continue-as-new.
  field = await openBattlefield(LIFE, { maxRunEvents: 40 });
  undisturbed = normalLog((await live(field.client)).log);
}, 900_000);
afterAll(() => field?.stop(), 120_000);

/** A life with this in it, watched by many; compared with an undisturbed one. */
async function survives(hooks: LifeHooks): Promise<void> {
  let readers: ReturnType<typeof startReaders> | undefined;
  const { session, log } = await live(field.client, {
    ...hooks,
    born: async (id) => {
      readers = startReaders({
        ...field,
        urls: () => field.apis.map(({ url }) => url),
        session: id,
        streams: 40,
        pollers: 10,
      });
      await hooks.born?.(id);
    },
  });
  expect(normalLog(log)).toEqual(undisturbed);
  expect(await readers?.finish(await logOf(field.client, session))).toEqual([]);
}

const brain = () => field.stack.brain;
const hands = () => field.stack.hands;

test('an undisturbed life has each line once, and two such lives have the same log', async () => {
  expect(JSON.stringify(undisturbed)).toContain('journal has 1');
  expect(JSON.stringify(undisturbed)).toContain('written once\\nline\\nline');
  await survives({});
}, 60_000);

/** Resolves when the brain has asked the model so many times since. */
async function asked(times: number): Promise<void> {
  const before = field.stack.rehearsal.requests.length;
  await until(() => field.stack.rehearsal.requests.length >= before + times, 'a model request');
}

async function restart(part: 'brain' | 'hands', between?: () => void): Promise<void> {
  await field.stack[part].kill();
  between?.();
  await field.stack[part].start();
}

describe('the brain dies', () => {
  test('before the model has replied', async () => {
    await survives({
      async born() {
        await asked(1);
        await restart('brain');
      },
    });
  }, 120_000);

  test('after the model has replied and before anybody knows', async () => {
    await survives({
      async born(session) {
        await asked(1);
        field.network.brain.hold();
        // The reply takes less than two seconds to the end; its result cannot leave.
        await sleep(3_000);
        expect(await field.inHand(session)).toContain('sample');
        await restart('brain', field.network.brain.release);
      },
    });
  }, 120_000);

  test('between carrying entries out and saying so', async () => {
    await survives({
      async again(session) {
        const { pool } = field.stack.database;
        const locker = await pool.connect();
        await locker.query('begin');
        await locker.query('lock table log_entries in exclusive mode');
        await until(() => waitsForLock(), 'the entries on their way into the store');
        field.network.brain.hold();
        await locker.query('commit');
        locker.release();
        const said = async () => JSON.stringify(await logOf(field.client, session)).includes('"again"');
        await until(said, 'the entry');
        await restart('brain', field.network.brain.release);
      },
    });
  }, 120_000);

  test('in a continue-as-new, while the run is being sealed', async () => {
    const { pool } = field.stack.database;
    await survives({
      async born() {
        const locker = await pool.connect();
        await locker.query('begin');
        await locker.query('lock table segments in exclusive mode');
        await until(() => waitsForLock(), 'a run that is being sealed');
        await brain().kill();
        await locker.query('rollback');
        locker.release();
        await brain().start();
      },
    });
  }, 120_000);
});

async function waitsForLock(): Promise<boolean> {
  const { rows } = await field.stack.database.pool.query('select 1 from pg_locks where not granted');
  return rows.length > 0;
}

describe('the hands die', () => {
  test('while a sandbox is being made', async () => {
    await survives({
      async born(session) {
        await until(async () => (await field.inHand(session)).includes('provision'), 'a sandbox being made');
        await restart('hands');
      },
    });
  }, 120_000);

  test('while a command runs', async () => {
    await survives({
      async born(session) {
        await until(async () => (await field.inHand(session)).includes('execute'), 'a running command');
        await sleep(1_000);
        await restart('hands');
      },
    });
  }, 120_000);

  test('after a command has finished and before its result is recorded', async () => {
    await survives({
      async born(session) {
        await until(async () => (await field.inHand(session)).includes('execute'), 'a running command');
        field.network.hands.hold();
        await sleep((COMMAND_S + 2) * 1_000);
        await restart('hands', field.network.hands.release);
      },
    });
  }, 120_000);
});

test('everything dies while an approval is pending', async () => {
  await survives({
    async pending() {
      const parts = [brain(), hands(), ...field.apis];
      await Promise.all(parts.map((part) => part.kill()));
      await Promise.all(parts.map((part) => part.start()));
    },
  });
}, 120_000);

test('everything dies with a turn in flight: brain, hands, apis, Temporal and PostgreSQL at once', async () => {
  await survives({
    async born(session) {
      await until(async () => (await field.inHand(session)).includes('execute'), 'a running command');
      const { postgres, temporal } = field.stack;
      const parts = [brain(), hands(), ...field.apis];
      await Promise.all([...parts, postgres, temporal].map((part) => part.kill()));
      await Promise.all([postgres.start(), temporal.start()]);
      await Promise.all(parts.map((part) => part.start()));
    },
  });
}, 150_000);

test('the apis die in turn under readers and writers', async () => {
  await survives({
    async born() {
      for (const api of field.apis) {
        await sleep(1_000);
        await api.kill();
        await sleep(1_000);
        await api.start();
      }
    },
  });
}, 120_000);
