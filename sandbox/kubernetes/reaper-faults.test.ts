/** The reaper when the cluster is in its way: it ends what is over, and nothing else, and is not held up by one pod. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FakeApiServer, startFakeApi } from './fake-api-server.ts';
import { LABELS, leaseName, ownerHash, podName, SESSION_ANNOTATION, sessionHash } from './names.ts';
import { reapPods } from './reaper.ts';

const key = Buffer.alloc(32, 7);
let api: FakeApiServer;
beforeEach(async () => {
  api = await startFakeApi({ graceMs: 0 });
});
afterEach(async () => await api.close());

const reap = async (isLive: (sessionId: string) => Promise<boolean> = async () => false) => {
  const rest = { image: '', runtimeClass: '', checkpoints: { put: unused, get: unused } };
  return await reapPods({ cluster: api.connect(), namespace: 'n', key, ...rest }, -1_000, isLive);
};
const unused = () => Promise.reject(new Error('There are no checkpoints here.'));
const labelsOf = (sessionId: string) => ({
  [LABELS.owner]: ownerHash(key),
  [LABELS.session]: sessionHash({ sessionId }),
});
const make = (sessionId: string, generation = 1) => {
  const labels = { ...labelsOf(sessionId), [LABELS.generation]: String(generation) };
  const name = podName({ sessionId, generation });
  api.pods.create({ metadata: { name, labels, annotations: { [SESSION_ANNOTATION]: sessionId } } as never });
  return name;
};
const left = () => api.pods.list().map(({ metadata }) => metadata.name);

test('a pod stays while it cannot be known whether its session lives, and others go', async () => {
  const unknown = make('unknown');
  make('over');
  const isLive = async (sessionId: string) => {
    if (sessionId === 'unknown') throw new Error('Temporal is away.');
    return false;
  };
  expect(await reap(isLive)).toBe(1);
  expect(left()).toEqual([unknown]);
});

test.each(['list pods', 'list leases'] as const)('when %s fails, nothing is ended', async (asked) => {
  const name = make('over');
  for (const fault of [{ status: 500 }, 'garbage', 'reset'] as const) {
    api.fault(asked, fault, 1);
    await expect(reap()).rejects.toThrow();
  }
  expect(left()).toEqual([name]);
});

test('a pod that went meanwhile, or whose name is another pod by now, is no error and does not count', async () => {
  const [gone, replaced] = [make('gone'), make('replaced')];
  make('over');
  api.fault('delete pods', { before: () => api.pods.delete(gone, 0) }, 1);
  const before = () => {
    api.pods.delete(replaced, 0);
    make('replaced');
  };
  api.fault('delete pods', { before }, 1);
  expect(await reap()).toBe(1);
  expect(left()).toEqual([replaced]);
});

test('one that cannot be ended does not keep the others, and is told', async () => {
  for (const session of ['one', 'two', 'three']) make(session);
  api.fault('delete pods', { status: 500 }, 1);
  await expect(reap()).rejects.toThrow();
  expect(left()).toHaveLength(1);
  expect(await reap()).toBe(1);
});

test('a session that comes back while its old lease is forgotten keeps its generation', async () => {
  const sessionId = 'asleep';
  const name = leaseName({ sessionId });
  const annotations = { [LABELS.generation]: '1' };
  const long = new Date(Date.now() - 31 * 24 * 3600_000).toISOString();
  api.leases.create({ metadata: { name, labels: labelsOf(sessionId), annotations } as never });
  api.leases.patch(name, { metadata: { creationTimestamp: long } });
  const before = () => api.leases.patch(name, { metadata: { annotations: { [LABELS.generation]: '2' } } });
  api.fault('delete leases', { before }, 1);
  await reap();
  expect(api.leases.read(name).metadata.annotations).toEqual({ [LABELS.generation]: '2' });
  await reap();
  expect(api.leases.list()).toEqual([]);
});
