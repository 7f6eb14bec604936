/** A generation is made once, whatever becomes of the answers and whoever else writes. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FakeApiServer, startFakeApi } from './fake-api-server.ts';
import { type Generations, openGenerations } from './generations.ts';
import { LABELS, leaseName } from './names.ts';

let api: FakeApiServer;
let one: Generations;
let other: Generations;
beforeEach(async () => {
  api = await startFakeApi();
  [one, other] = [api, api].map(() => openGenerations(api.connect(300), 'n', 'us')) as [Generations, Generations];
});
afterEach(async () => await api.close());

const sessionId = 'sesn_1';
const whose = (generation: number) => ({ sessionId, generation });
const lease = () => api.leases.read(leaseName({ sessionId }));
const generation = () => lease().metadata.annotations?.[LABELS.generation];

test('a generation that was handed out is not made again, by nobody', async () => {
  expect(await one.take(whose(1))).toEqual({ made: undefined, first: true });
  expect(await other.take(whose(1))).toEqual({ made: undefined, first: false });
  await one.markMade(whose(1), 'pod-a');
  expect((await other.take(whose(1))).made).toBe('pod-a');
  await one.markMade(whose(1), 'pod-a');
  await expect(other.markMade(whose(1), 'pod-b')).rejects.toThrow('was given pod-a meanwhile, not pod-b');
});

test('a lower generation is refused, to take and to hand out', async () => {
  await one.take(whose(1));
  await other.take(whose(2));
  await expect(one.markMade(whose(1), 'late')).rejects.toThrow('is at generation 2; 1 is not made again');
  await expect(one.take(whose(1))).rejects.toThrow('is at generation 2');
  expect((await other.take(whose(2))).made).toBeUndefined();
});

test.each(['lost', 'silent', 'stalled', 'garbage'] as const)(
  'a lease that was written, the answer %s: the repeat finds it',
  async (fault) => {
    api.fault('create leases', fault, 1);
    await expect(one.take(whose(1))).rejects.toThrow();
    expect(generation()).toBe('1');
    expect((await one.take(whose(1))).made).toBeUndefined();
    api.fault('replace leases', fault, 1);
    await expect(one.markMade(whose(1), 'pod-a')).rejects.toThrow();
    expect((await one.take(whose(1))).made).toBe('pod-a');
    await one.markMade(whose(1), 'pod-a');
    api.fault('replace leases', fault, 1);
    await expect(one.take(whose(2))).rejects.toThrow();
    await expect(one.take(whose(1))).rejects.toThrow('is at generation 2');
    expect((await one.take(whose(2))).made).toBeUndefined();
  },
);

test('a higher generation that comes between look and write wins', async () => {
  await one.take(whose(1));
  api.fault('replace leases', { before: () => other.take(whose(3)) }, 1);
  await expect(one.take(whose(2))).rejects.toThrow('is at generation 3; 2 is not made again');
  expect(generation()).toBe('3');
});

test('of many that hand out at once, one does, and the others hear which', async () => {
  await one.take(whose(1));
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, (_, i) => (i % 2 ? one : other).markMade(whose(1), `pod-${i}`)),
  );
  const holder = lease().spec?.holderIdentity;
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of results) {
    if (result.status === 'rejected') expect(String(result.reason)).toContain(`was given ${holder} meanwhile`);
  }
});

test('a lease that disappears between look and write is made again', async () => {
  await one.take(whose(1));
  api.fault('replace leases', { before: () => api.leases.delete(leaseName({ sessionId }), 0) }, 1);
  await one.take(whose(2));
  expect(generation()).toBe('2');
});

test('an API server that answers with a conflict for ever is an error, not an endless burst of requests', async () => {
  api.fault('create leases', { status: 409, reason: 'Conflict' });
  await expect(one.take(whose(1))).rejects.toThrow();
  expect(api.requests.length).toBeLessThan(50);
});
