/** What is known of pods comes right again after anything that can happen to a watch. By the real client. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Cluster } from './cluster.ts';
import { type FakeApiServer, startFakeApi } from './fake-api-server.ts';
import type { Stored } from './fake-api-store.ts';
import { APP, LABELS } from './names.ts';
import { type Pods, watchPods } from './pods.ts';

const QUIET_MS = 150;
let api: FakeApiServer;
let cluster: Cluster;
let pods: Pods;
beforeEach(async () => {
  api = await startFakeApi({ graceMs: 0, bookmarkMs: 30 });
  cluster = api.connect(1_000);
  pods = watchPods(cluster, 'n', 'us', QUIET_MS);
});
afterEach(async () => {
  pods.close();
  await api.close();
});

const labels = { [LABELS.app]: APP, [LABELS.owner]: 'us' };
const make = (name: string, own = labels): Stored => api.pods.create({ metadata: { name, labels: own } as never });
const touch = (name: string, note: string) => api.pods.patch(name, { metadata: { annotations: { note } } });
const names = () => pods.all().map(({ metadata }) => metadata?.name);
const noteOf = (name: string) => pods.known(name)?.metadata?.annotations?.note;
const watching = async () => {
  pods.begin();
  await expect.poll(() => api.watches.length, { interval: 5 }).toBe(1);
};
const newest = () => {
  const watch = api.watches.at(-1);
  if (!watch) throw new Error('Nobody watches.');
  return watch;
};
const soon = (what: () => unknown) => expect.poll(what, { interval: 5, timeout: 3_000 });
const count = (asked: string) => api.requests.filter((one) => one === asked).length;

test('what is there, comes, changes and goes is known, and what is of another installation is not', async () => {
  make('before');
  await watching();
  make('after');
  make('theirs', { ...labels, [LABELS.owner]: 'them' });
  touch('after', 'changed');
  api.pods.delete('before', 0);
  await soon(() => [names(), noteOf('after')]).toEqual([['after'], 'changed']);
});

/** Each ends the watch; what happens meanwhile is told by no event. */
const ENDS: Record<string, () => void> = {
  'ends well': () => newest().end(),
  'is cut': () => newest().destroy(),
  'is cut within a line': () => {
    newest().write('{"type":"MODIFIED","object":{"metadata":{"name":"stays"');
    newest().destroy();
  },
  'forgets where it was (410 in the stream)': () => {
    newest().say('ERROR', { kind: 'Status', code: 410, reason: 'Expired' });
    newest().mute();
  },
  'goes silent': () => newest().mute(),
};
test.each(Object.keys(ENDS))(
  'after a watch that %s, changes and deletions that it did not tell are known',
  async (end) => {
    make('stays');
    make('goes');
    await watching();
    const gone: (V1Pod | undefined)[] = [];
    pods.follow('goes', (pod) => gone.push(pod));
    ENDS[end]?.();
    api.pods.delete('goes', 0);
    touch('stays', 'changed');
    make('comes');
    await soon(() => [names(), noteOf('stays')]).toEqual([['stays', 'comes'], 'changed']);
    expect(gone).toEqual([undefined]);
    // The old one is not left behind.
    await soon(() => api.watches.length).toBe(1);
  },
);

test.each([
  ['410 at the beginning of a watch', 'watch pods', { status: 410, reason: 'Expired' }],
  ['a burst of 500', 'list pods', { status: 500 }],
  ['a burst of 503', 'list pods', { status: 503 }],
  ['a burst of 429', 'watch pods', { status: 429 }],
  ['broken connections', 'list pods', 'reset'],
  ['a list that is garbage', 'list pods', 'garbage'],
  ['a watch that is never answered', 'watch pods', 'deaf'],
] as const)('%s: nothing that is known is forgotten, and then all is known again', async (_name, asked, fault) => {
  make('stays');
  await watching();
  await soon(names).toEqual(['stays']);
  api.fault(asked, fault, 2);
  newest().end();
  make('comes');
  await soon(() => (names().includes('stays') ? names() : 'forgotten')).toEqual(['stays', 'comes']);
});

test('an API server that is away forgets nothing, and is found again', async () => {
  make('stays');
  await watching();
  await soon(names).toEqual(['stays']);
  await api.goAway();
  await sleep(150);
  expect(names()).toEqual(['stays']);
  make('comes');
  await api.comeBack();
  await soon(names).toEqual(['stays', 'comes']);
});

test.each([
  ['ends at once, well', () => api.watches.at(-1)?.end()],
  ['is refused at once', undefined],
])('a watch that %s, again and again, is not asked for again and again', async (_name, end) => {
  const ending = end ? setInterval(end, 1) : undefined;
  if (!end) api.fault('watch pods', { status: 410 });
  pods.begin();
  await sleep(1_000);
  clearInterval(ending);
  // After 100, 200, 400 ms: not one after the other.
  expect(count('list pods')).toBeGreaterThan(1);
  expect(count('list pods')).toBeLessThanOrEqual(5);
  expect(count('watch pods')).toBeLessThanOrEqual(5);
});

test('bookmarks keep a watch that has nothing to tell', async () => {
  await watching();
  await sleep(QUIET_MS * 3);
  expect(count('watch pods')).toBe(1);
});

test('events that come twice, late or as garbage change nothing that is newer', async () => {
  const old = make('one');
  const gone = make('gone');
  await watching();
  touch('one', 'newer');
  api.pods.delete('gone', 0);
  await soon(() => [names(), noteOf('one')]).toEqual([['one'], 'newer']);
  newest().say('MODIFIED', old);
  newest().say('ADDED', old);
  newest().say('MODIFIED', gone);
  newest().write('not json\n{"type":"ADDED"}\n{"type":"ADDED","object":{}}\nnull\n');
  newest().say('DELETED', gone);
  make('last');
  await soon(names).toEqual(['one', 'last']);
  expect(noteOf('one')).toBe('newer');
  expect(count('watch pods')).toBe(1);
});

test('late events of a pod do not touch its successor of the same name', async () => {
  const first = make('one');
  await watching();
  await soon(names).toEqual(['one']);
  newest().mute();
  api.pods.delete('one', 0);
  const second = make('one');
  await pods.read('one');
  const told: (string | undefined)[] = [];
  pods.follow('one', (pod) => told.push(pod?.metadata?.uid));
  const dying = { ...first, metadata: { ...first.metadata, deletionTimestamp: new Date().toISOString() } };
  pods.note(dying as unknown as V1Pod);
  await soon(() => count('watch pods')).toBe(2);
  newest().say('MODIFIED', dying);
  newest().say('DELETED', dying);
  touch('one', 'seen');
  await soon(() => noteOf('one')).toBe('seen');
  expect(new Set(told)).toEqual(new Set([second.metadata.uid]));
});

test('an answer that was under way while its pod ended does not bring it back', async () => {
  const made = make('one');
  await watching();
  api.pods.delete('one', 0);
  await soon(names).toEqual([]);
  pods.note(made as unknown as V1Pod);
  expect(names()).toEqual([]);
});

test('"not there" of before a pod was made does not end the pod', async () => {
  await watching();
  make('one');
  await soon(names).toEqual(['one']);
  api.pods.delete('one', 0);
  await soon(names).toEqual([]);
  const told: unknown[] = [];
  pods.follow('one', (pod) => told.push(pod));
  api.fault('read pods', { after: () => pods.note(make('one') as unknown as V1Pod) }, 1);
  expect(await pods.read('one')).toBeUndefined();
  expect(names()).toEqual(['one']);
  expect(told).not.toContain(undefined);
});

test('closed while a list, or a watch, is on its way: nothing is begun any more, and no watch is kept', async () => {
  for (const asked of ['list pods', 'watch pods'] as const) {
    const own = watchPods(cluster, 'n', 'us', 60_000);
    let answer: (() => void) | undefined;
    api.fault(asked, { before: () => new Promise<void>((resolve) => (answer = resolve)) }, 1);
    own.begin();
    await soon(() => answer).toBeTruthy();
    const before = api.requests.length;
    own.close();
    answer?.();
    await soon(() => api.watches.length).toBe(0);
    await sleep(50);
    expect([api.requests.length, api.watches.length]).toEqual([before, 0]);
  }
});

test('closed while it watches: the watch ends, and no other begins', async () => {
  await watching();
  pods.close();
  await soon(() => api.watches.length).toBe(0);
  await sleep(150);
  expect(count('watch pods')).toBe(1);
});
