/** Several apis over one database, behind something that sends each request to any of them. */
import { beforeAll, describe, expect, test } from 'vitest';
import { KEY, makeParts, makeSession, message, type TestApi, useApi } from './testing.ts';

const api = useApi({ temporal: true });
let other: TestApi;
beforeAll(async () => {
  other = await api().another();
}, 60_000);

const WAIT = { timeout: 10_000 };
const retry = (count: number) => ({ 'x-stainless-retry-count': String(count) });
const say = (to: TestApi, session: string, text: string, headers = {}) =>
  to.send('POST', `/v1/sessions/${session}/events`, { events: [message(text)] }, headers);
const idsOf = async (to: TestApi, session: string, type: string): Promise<string[]> => {
  const reply = await to.send('GET', `/v1/sessions/${session}/events?types[]=${type}`);
  return reply.json.data.map((event: { id: string }) => event.id);
};
const count = async (sql: string, ...values: unknown[]) =>
  Number((await api().database.pool.query(sql, values)).rows[0].count);

describe('what one has answered for', () => {
  test('another lists at once, and never calls the session idle before it has worked on it', async () => {
    const session = await makeSession(api());
    for (const [a, b] of [
      [api(), other],
      [other, api()],
      [api(), other],
    ] as const) {
      const sent = await say(a, session, 'answer slowly');
      expect(await idsOf(b, session, 'user.message')).toContain(sent.json.data[0].id);
      expect((await b.send('GET', `/v1/sessions/${session}`)).json.status).toBe('running');
      expect((await b.send('GET', `/v1/sessions/${session}/threads`)).json.data[0].status).toBe('running');
      await b.send('POST', `/v1/sessions/${session}/events`, { events: [{ type: 'user.interrupt' }] });
      await expect.poll(async () => (await a.send('GET', `/v1/sessions/${session}`)).json.status, WAIT).toBe('idle');
    }
  }, 30_000);

  test('another waits for, as long as the store is behind', async () => {
    const session = await makeSession(api());
    // The row says that an entry has been answered for which the store does not hold yet.
    await api().database.pool.query('update sessions set accepted_seq = 0 where id = $1', [session]);
    const from = performance.now();
    const listing = other.send('GET', `/v1/sessions/${session}/events`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const sent = await say(api(), session, 'hello');
    expect((await listing).json.data[0].id).toBe(sent.json.data[0].id);
    expect(performance.now() - from).toBeGreaterThan(290);
  });

  test('another streams, and goes on where a stream of the first broke off', async () => {
    const session = await makeSession(api());
    const first = await api().client().beta.sessions.events.stream(session);
    const sent = await say(other, session, 'one');
    const seen: string[] = [];
    for await (const event of first) {
      if ('id' in event) seen.push(event.id);
      if (event.type === 'session.status_running') break;
    }
    expect(seen).toContain(sent.json.data[0].id);
    // The first two entries are known; what follows comes from another api, without a gap and without a repetition.
    const headers = { authorization: `Bearer ${KEY}`, 'anthropic-version': '2026-10-21' };
    const beta = { 'anthropic-beta': 'managed-agents-2026-04-01', 'last-event-id': '1' };
    const response = await fetch(new URL(`/v1/sessions/${session}/events/stream`, other.url), {
      headers: { ...headers, ...beta },
    });
    const seqs: number[] = [];
    const types: string[] = [];
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      for (const line of chunk.split('\n')) {
        if (line.startsWith('id: ')) seqs.push(Number(line.slice(4)));
        if (line.startsWith('event: ')) types.push(line.slice(7));
      }
      if (types.includes('session.status_idle')) break;
    }
    expect(seqs).toEqual(seqs.map((_seq, index) => index + 2));
    expect(types).toContain('agent.message');
  });
});

describe('changes of one session through two apis', () => {
  test('metadata patches that meet are all kept', async () => {
    const session = await makeSession(api());
    const keys = Array.from({ length: 12 }, (_, index) => `k${index}`);
    const replies = await Promise.all(
      keys.map((key, index) =>
        (index % 2 === 0 ? api() : other).send('POST', `/v1/sessions/${session}`, { metadata: { [key]: 'v' } }),
      ),
    );
    expect(replies.map((reply) => reply.status)).toEqual(keys.map(() => 200));
    for (const one of [api(), other]) {
      const { metadata } = (await one.send('GET', `/v1/sessions/${session}`)).json;
      expect(Object.keys(metadata).sort()).toEqual([...keys].sort());
    }
  }, 30_000);

  test('a key that one deletes while the other adds is gone, and the limit of keys holds for the sum', async () => {
    const full = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`k${index}`, 'v']));
    const session = await makeSession(api(), { metadata: full });
    const patch = (to: TestApi, metadata: object) => to.send('POST', `/v1/sessions/${session}`, { metadata });
    const both = await Promise.all([patch(api(), { k0: null, a: '1' }), patch(other, { b: '2' })]);
    expect(both.map((reply) => reply.status)).toEqual([200, 200]);
    const { metadata } = (await api().send('GET', `/v1/sessions/${session}`)).json;
    expect(metadata).toEqual({ ...full, k0: undefined, a: '1', b: '2' });
    const more = await Promise.all([patch(api(), { c: '3' }), patch(other, { d: '4' })]);
    expect(more.map((reply) => reply.status)).toEqual([400, 400]);
  });

  test('agents and environments: patches that meet are all kept', async () => {
    const { agent, environment } = await makeParts(api());
    for (const path of [`/v1/agents/${agent}`, `/v1/environments/${environment}`]) {
      const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
      await Promise.all(
        keys.map((key, index) => (index % 2 === 0 ? api() : other).send('POST', path, { metadata: { [key]: 'v' } })),
      );
      expect(Object.keys((await other.send('GET', path)).json.metadata).sort()).toEqual(keys);
    }
  });

  test('tools that are changed at the same time: each request sees the other’s outcome or is told', async () => {
    const session = await makeSession(api());
    const change = (to: TestApi, agent: object) => to.send('POST', `/v1/sessions/${session}`, { agent });
    const one = { tools: [{ type: 'agent_toolset_20260401', configs: [{ name: 'bash', enabled: false }] }] };
    const two = { tools: [] };
    const replies = await Promise.all([change(api(), one), change(other, two)]);
    expect(replies.map((reply) => reply.status)).toEqual([200, 200]);
    const revs = await count('select count(*) from session_agents where session_id = $1', session);
    expect(revs).toBeGreaterThanOrEqual(3);
    const shown = await Promise.all(
      [api(), other].map(async (to) => (await to.send('GET', `/v1/sessions/${session}`)).json),
    );
    expect(shown[0].agent).toEqual(shown[1].agent);
    const updates = await idsOf(other, session, 'session.updated');
    expect(updates).toHaveLength(2);
  });
});

describe('a retry that reaches another api', () => {
  test('of a message whose answer was "try again" is the same message', async () => {
    const session = await makeSession(api());
    api().faults.broken.post = 'after';
    const failed = await say(api(), session, 'once');
    api().faults.broken.post = undefined;
    const again = await say(other, session, 'once', retry(1));
    expect([failed.status, again.status]).toEqual([500, 200]);
    expect(await idsOf(api(), session, 'user.message')).toEqual([again.json.data[0].id]);
  });

  test('of a message whose connection broke is the same message', async () => {
    const session = await makeSession(api());
    api().faults.delayMs = 1_000;
    const abort = new AbortController();
    const lost = fetch(new URL(`/v1/sessions/${session}/events`, api().url), {
      method: 'POST',
      body: JSON.stringify({ events: [message('once')] }),
      headers: { 'x-api-key': KEY, 'anthropic-version': '2026-10-21', 'anthropic-beta': 'managed-agents-2026-04-01' },
      signal: abort.signal,
    }).catch(() => undefined);
    await expect.poll(() => idsOf(other, session, 'user.message'), WAIT).toHaveLength(1);
    abort.abort();
    await lost;
    // As long as an SDK waits at least before its first retry.
    await new Promise((resolve) => setTimeout(resolve, 375));
    api().faults.delayMs = 0;
    const again = await say(other, session, 'once', retry(1));
    expect(await idsOf(other, session, 'user.message')).toEqual([again.json.data[0].id]);
  });

  test('does not take the request that somebody else still waits for', async () => {
    const { agent, environment } = await makeParts(api());
    const body = { agent, environment_id: environment };
    // The same request twice, meant twice: the first fails at one api, while the second is under way at the other.
    other.faults.broken.start = 'before';
    expect((await other.send('POST', '/v1/sessions', body)).status).toBe(500);
    other.faults.broken.start = undefined;
    api().faults.delayMs = 0;
    const slow = api().deps.sessionClient.start;
    const gate = Promise.withResolvers<void>();
    api().deps.sessionClient.start = async (input) => {
      await gate.promise;
      await slow(input);
    };
    const second = api().send('POST', '/v1/sessions', body);
    await expect.poll(() => count('select count(*) from sessions where agent_id = $1', agent), WAIT).toBe(2);
    const first = await other.send('POST', '/v1/sessions', body, retry(1));
    gate.resolve();
    api().deps.sessionClient.start = slow;
    expect(first.json.id).not.toBe((await second).json.id);
    expect(await count('select count(*) from sessions where agent_id = $1', agent)).toBe(2);
  });

  test('takes the request of an api that died while it acted', async () => {
    const { agent, environment } = await makeParts(api());
    const body = { agent, environment_id: environment, metadata: { mark: 'orphan' } };
    const third = await api().another();
    const start = third.deps.sessionClient.start;
    third.deps.sessionClient.start = async (input) => {
      await start(input);
      await new Promise(() => undefined);
    };
    void third.send('POST', '/v1/sessions', body).catch(() => undefined);
    await expect.poll(() => count('select count(*) from sessions where agent_id = $1', agent), WAIT).toBe(1);
    const held =
      'select count(*) from idempotency where holder is not null and status is null and delivered_at is null';
    expect(await count(held)).toBeGreaterThan(0);
    // A dead process has no connections: the server ends the one that says it lives.
    await api().database.pool.query(
      `select pg_terminate_backend(l.pid) from pg_locks l join idempotency i on i.holder = l.objid::bigint
        where l.locktype = 'advisory' and i.delivered_at is null and i.status is null`,
    );
    await expect
      .poll(() => count("select count(*) from pg_stat_activity where application_name = 'longhand presence'"), WAIT)
      .toBeLessThanOrEqual(2);
    const again = await other.send('POST', '/v1/sessions', body, retry(1));
    expect([again.status, await count('select count(*) from sessions where agent_id = $1', agent)]).toEqual([200, 1]);
  });

  test('an Idempotency-Key means the same request to every api', async () => {
    const session = await makeSession(api());
    const key = { 'idempotency-key': 'several-1' };
    const replies = await Promise.all([api(), other, api(), other].map((to) => say(to, session, 'keyed', key)));
    expect(new Set(replies.map((reply) => reply.json.data[0].id)).size).toBe(1);
    expect(await idsOf(other, session, 'user.message')).toHaveLength(1);
    const reused = await say(other, session, 'something else', key);
    expect([reused.status, reused.json.error.message]).toEqual([400, expect.stringMatching(/^idempotency-key: /)]);
  });
});
