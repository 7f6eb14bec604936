/** Paths, queries and cursors that are wrong: another workspace's ids at every endpoint that has one, foreign cursors. */
import { beforeAll, describe, expect, test } from 'vitest';
import { makeParts, message, OTHER_KEY, useApi } from './testing.ts';
import { makeStored } from './testing-log.ts';
import { expectRefusal, leavesNothing, makeOwned } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};
const cursors: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
  const session = await makeStored(api());
  for (const text of ['a', 'b']) await session.append(message(text) as never);
  Object.assign(ids, { LOGGED: session.id, THREAD: session.thread, AGENT2: (await makeParts(api())).agent });
  for (const id of ['AGENT', 'AGENT2']) {
    for (const name of ['v2', 'v3']) await api().send('POST', `/v1/agents/${ids[id]}`, { name });
  }
  const next = async (path: string) => (await api().send('GET', named(path))).json.next_page;
  cursors.agents = await next('/v1/agents?limit=1');
  cursors.environments = await next('/v1/environments?limit=1');
  cursors.sessions = await next('/v1/sessions?limit=1');
  cursors.versions = await next('/v1/agents/AGENT/versions?limit=1');
  cursors.events = await next('/v1/sessions/LOGGED/events?limit=1');
  expect(Object.values(cursors)).not.toContain(null);
}, 60_000);

const named = (text: string) =>
  Object.entries(ids).reduce((sum, [name, id]) => sum.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), id), text);
const get = (path: string) => leavesNothing(api(), () => api().send('GET', named(path)));
const made = (cursor: unknown) => Buffer.from(JSON.stringify(cursor)).toString('base64url');

test.each([
  ['/v1/agents?limit=0', 'limit: '],
  ['/v1/agents?limit=101', 'limit: '],
  ['/v1/agents?limit=ten', 'limit: '],
  ['/v1/agents?limit=-1', 'limit: '],
  ['/v1/agents?limit=1.5', 'limit: '],
  ['/v1/agents?limit=1e2', 'limit: '],
  ['/v1/agents?limit=99999999999999999999', 'limit: '],
  ['/v1/agents?limit=', 'limit: '],
  ['/v1/agents?limit=%00', 'limit: '],
  ['/v1/agents?limit[]=1', 'limit[]: Input may be given only once'],
  ['/v1/agents?limit=1&limit=2', 'limit: Input may be given only once'],
  ['/v1/agents?colour=red', 'colour: Extra inputs are not permitted'],
  ['/v1/agents?__proto__=1', '__proto__: Extra inputs'],
  ['/v1/agents?constructor=1', 'constructor: Extra inputs'],
  ['/v1/agents?created_at[gte]=yesterday', 'created_at[gte]: '],
  ['/v1/agents?created_at[gte]=2026-01-01', 'created_at[gte]: '],
  ['/v1/agents?created_at[gte]=2026-13-01T00:00:00Z', 'created_at[gte]: '],
  ['/v1/agents?created_at[gte]=0000-01-01T00:00:00Z', 'created_at[gte]: '],
  ['/v1/agents?created_at[lte]=9999-12-31T23:59:59-23:59', 'created_at[lte]: '],
  ['/v1/agents?created_at[eq]=2026-01-01T00:00:00Z', 'created_at[eq]: Extra inputs'],
  ['/v1/agents?include_archived=yes', 'include_archived: '],
  ['/v1/agents?include_archived=true&include_archived=true', 'include_archived: Input may be given only once'],
  ['/v1/agents/AGENT?version=0', 'version: '],
  ['/v1/agents/AGENT?version=two', 'version: '],
  ['/v1/sessions?statuses[]=asleep', 'statuses.0: '],
  ['/v1/sessions?statuses[]=idle&statuses[]=', 'statuses.1: '],
  [`/v1/sessions?${'statuses[]=idle&'.repeat(101)}`, 'statuses: '],
  ['/v1/sessions?agent_version=1', 'agent_version: '],
  ['/v1/sessions?agent_id=a%20b', 'agent_id: '],
  ['/v1/sessions?order=up', 'order: '],
  ['/v1/sessions?order=asc&order=asc', 'order: Input may be given only once'],
  ['/v1/sessions/SESSION/events?types[]=user.shout', 'types.0: '],
  ['/v1/sessions/SESSION/events?types[]=session.deleted', 'types.0: '],
  ['/v1/sessions/SESSION/events?limit=1001', 'limit: '],
  ['/v1/sessions/SESSION/threads?statuses[]=archived', 'statuses.0: '],
  ['/v1/sessions/SESSION/events/stream?event_deltas[]=agent.tool_use', 'event_deltas.0: '],
  [`/v1/sessions/SESSION/events/stream?${'event_deltas[]=agent.message&'.repeat(101)}`, 'event_deltas: '],
  ['/v1/sessions/SESSION/events/stream?from=-1', 'from: '],
  ['/v1/sessions/SESSION/events/stream?from=1&from=2', 'from: Input may be given only once'],
  ['/v1/models?after_id=claude-opus-5-5&before_id=claude-haiku-4-5', 'before_id: '],
  ['/v1/models?after_id=none', 'after_id: '],
  ['/v1/models?lifecycle[]=old', 'lifecycle.0: '],
])('a malformed query %s', async (path, field) => {
  expectRefusal(await get(path), field);
});

describe('a cursor', () => {
  test.each([
    ['that is none', '/v1/agents', 'xyz'],
    ['that is JSON of another shape', '/v1/agents', made([1])],
    ['that is too long', '/v1/agents', 'a'.repeat(1001)],
    [
      'of a year that no database knows',
      '/v1/agents',
      made({ l: 'agents', o: 'desc', p: { createdAt: 1e300, id: 'a' } }),
    ],
    [
      'of a time before all times',
      '/v1/sessions',
      made({ l: 'sessions', o: 'desc', p: { createdAt: -8e15, id: 'a' } }),
    ],
    ['whose id holds U+0000', '/v1/agents', made({ l: 'agents', o: 'desc', p: { createdAt: 1, id: '\0' } })],
    ['with a number for a list of objects', '/v1/agents', made({ l: 'agents', o: 'desc', p: 3 })],
    ['with a field of its own', '/v1/agents', made({ l: 'agents', o: 'desc', p: { createdAt: 1, id: 'a' }, x: 1 })],
  ])('%s', async (_name, path, page) => {
    expectRefusal(await get(`${path}?page=${page}`), 'page: ');
  });

  test.each([
    ['of another list', '/v1/sessions', 'agents'],
    ['of another list of objects', '/v1/environments', 'agents'],
    ['of sessions', '/v1/agents', 'sessions'],
    ['of another agent’s versions', '/v1/agents/AGENT2/versions', 'versions'],
    ['of another session’s events', '/v1/sessions/SESSION/events', 'events'],
    ['of events, for threads', '/v1/sessions/LOGGED/threads', 'events'],
  ])('%s', async (_name, path, of) => {
    expectRefusal(await get(`${path}?page=${cursors[of]}`), 'page: ');
  });

  test.each([
    ['of another order', '/v1/sessions?order=asc', 'sessions'],
    ['of another order of events', '/v1/sessions/LOGGED/events?order=desc', 'events'],
    ['outside the times that are asked for', '/v1/sessions?created_at[lt]=2020-01-01T00:00:00Z', 'sessions'],
  ])('%s', async (_name, path, of) => {
    expectRefusal(await get(`${path}&page=${cursors[of]}`), 'page: ');
  });

  test('that was cut off or changed, at every place', async () => {
    const whole = cursors.sessions ?? '';
    for (const cut of [1, 2, 5, 20]) expectRefusal(await get(`/v1/sessions?page=${whole.slice(0, -cut)}`), 'page: ');
    const position = made({ l: `versions ${ids.AGENT}`, o: 'desc', p: 9e15 });
    expectRefusal(await get(`/v1/agents/AGENT/versions?page=${position}`), 'page: ');
    const fraction = made({ l: `events ${ids.THREAD}`, o: 'asc', p: 1.5 });
    expectRefusal(await get(`/v1/sessions/LOGGED/events?page=${fraction}`), 'page: ');
  });
});

describe('an id in a path', () => {
  /** Every endpoint that has one, with its example body. */
  async function endpoints(): Promise<{ method: string; path: string; body: unknown }[]> {
    const { paths } = (await api().send('GET', '/openapi.json')).json;
    type Content = { 'application/json'?: { example?: unknown }; 'multipart/form-data'?: object };
    type Operation = { requestBody?: { content: Content } };
    return Object.entries(paths as Record<string, Record<string, Operation>>)
      .filter(([path]) => path.includes('{'))
      .flatMap(([path, methods]) =>
        Object.entries(methods)
          // Uploads have tables of their own.
          .filter(([, { requestBody }]) => requestBody?.content['multipart/form-data'] === undefined)
          .map(([method, { requestBody }]) => ({
            method: method.toUpperCase(),
            path,
            body: requestBody?.content['application/json']?.example,
          })),
      );
  }
  const known: Record<string, string> = {
    agent_id: 'AGENT',
    environment_id: 'ENV',
    session_id: 'LOGGED',
    thread_id: 'THREAD',
  };
  const filled = (path: string, id?: string) =>
    path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => id ?? named(known[name] ?? 'x'));

  test('of another workspace is not there, at any endpoint', async () => {
    const theirs = { authorization: `Bearer ${OTHER_KEY}` };
    const all = (await endpoints()).filter(({ path }) => !path.includes('{model_id}'));
    expect(all.length).toBeGreaterThan(18);
    for (const { method, path, body } of all) {
      const reply = await leavesNothing(api(), () => api().send(method, filled(path), body, theirs));
      expect([method, path, reply.status]).toEqual([method, path, 404]);
      expectRefusal(reply, /was not found/, 404);
    }
  }, 60_000);

  test('that nobody has, or that is none, is not there, at any endpoint', async () => {
    for (const { method, path, body } of await endpoints()) {
      for (const id of ['none_1', '%00', '%ff', '%F0%9F%98%80', "'%3B--", '%2e%2e%2fx', 'x'.repeat(129)]) {
        const reply = await api().send(method, filled(path, id), body);
        expect([method, path, id, reply.status]).toEqual([method, path, id, 404]);
        expectRefusal(reply, /was not found/, 404);
      }
    }
  }, 60_000);
});

test.each([
  '/v1/agents/%2e%2e',
  '/v1/sessions/SESSION/threads/THREAD',
  '/v1/sessions/SESSION/threads/THREAD/events',
  '/v1/sessions/SESSION/threads/THREAD/stream',
  '/v1/sessions/SESSION/threads/THREAD/events/stream',
  '/v1/sessions/SESSION/nothing',
  '/v1/nothing',
  '/v1',
  '/v2/agents',
  '/elsewhere',
  '//v1/agents',
  '/v1/agents/',
])('what is not there is not found: %s', async (path) => {
  const reply = await api().send('GET', named(path).replace(/^\/\//, `${api().url}//`));
  expect([reply.status, reply.json.error.type]).toEqual([404, 'not_found_error']);
});
