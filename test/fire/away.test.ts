/** A minute without PostgreSQL, a minute without Temporal, in the middle of a turn, with readers watching. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Battlefield, openBattlefield, until } from './battlefield.ts';
import { LIFE, live, logOf } from './life.ts';
import { normalLog } from './normal-log.ts';
import { type Readers, startReaders } from './readers.ts';

const AWAY_MS = 60_000;

let field: Battlefield;
let undisturbed: unknown[];
beforeAll(async () => {
  field = await openBattlefield(LIFE, { maxRunEvents: 40 });
  undisturbed = normalLog((await live(field.client)).log);
}, 900_000);
afterAll(() => field?.stop(), 120_000);

test.each(['postgres', 'temporal'] as const)(
  '%s away for a minute costs a minute: the log is that of an undisturbed life',
  async (server) => {
    let readers: Readers | undefined;
    const { session, log } = await live(field.client, {
      async born(id) {
        const urls = () => field.apis.map(({ url }) => url);
        readers = startReaders({ key: field.key, urls, session: id, streams: 20, pollers: 5 });
        await until(async () => (await field.inHand(id)).includes('execute'), 'a running command');
        await field.stack[server].kill();
        await sleep(AWAY_MS);
        await field.stack[server].start();
      },
    });
    expect(normalLog(log)).toEqual(undisturbed);
    expect(await readers?.finish(await logOf(field.client, session))).toEqual([]);
  },
  240_000,
);
