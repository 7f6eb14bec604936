/** What an SDK sends again must not happen again. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { makeParts, makeSession, message, useApi } from './testing.ts';

const api = useApi({ temporal: true, settings: { handlerMs: 4000 } });
const retry = (count: number) => ({ 'x-stainless-retry-count': String(count) });
const count = async (sql: string, ...values: unknown[]) =>
  Number((await api().database.pool.query(sql, values)).rows[0].count);
/** A busy machine notes the delivery of an answer some time after it. */
const WAIT = { timeout: 10_000 };
/** The ids of the session's messages. */
const messageIds = async (session: string) => {
  const { data } = await api()
    .client()
    .beta.sessions.events.list(session, { types: ['user.message'] });
  return data.map((event) => event.id);
};
const posts = async (session: string) => (await messageIds(session)).length;

/** As if the process had died right after the newest request took effect, before its answer went out. */
async function loseAnswer(): Promise<void> {
  const newest = 'created_at = (select max(created_at) from idempotency)';
  await expect
    .poll(() => count(`select count(*) from idempotency where delivered_at is null and ${newest}`), WAIT)
    .toBe(0);
  await api().database.pool.query(`update idempotency set delivered_at = null where ${newest}`);
}

const closers: (() => void)[] = [];
afterEach(() => {
  api().faults.broken = {};
  api().faults.delayMs = 0;
  for (const close of closers.splice(0)) close();
});

/**
 * Stands between a client and the API: lets requests through, and loses the answers of the first `lose` of them, as a
 * connection that breaks does.
 */
async function lossy(lose: number): Promise<{ url: string; seen: () => number }> {
  let seen = 0;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const mine = seen++;
      const abort = new AbortController();
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(
          ([name]) => !['host', 'connection', 'content-length', 'transfer-encoding'].includes(name),
        ),
      ) as Record<string, string>;
      if (mine < lose) {
        // The client is gone before the answer is: the API cannot deliver it.
        setTimeout(() => abort.abort(), 60);
      }
      const forwarded = fetch(new URL(request.url ?? '/', api().url), {
        method: request.method,
        headers,
        body: Buffer.concat(chunks),
        signal: abort.signal,
      });
      const answer = await forwarded.catch(() => undefined);
      if (mine < lose || !answer) return request.socket.destroy();
      response.writeHead(
        answer.status,
        Object.fromEntries(
          [...answer.headers].filter(([name]) => name !== 'content-encoding' && name !== 'transfer-encoding'),
        ),
      );
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen: () => seen };
}

describe('two equal requests', () => {
  test('that are both meant are two messages', async () => {
    const id = await makeSession(api());
    const body = { events: [message('go on')] };
    for (let i = 0; i < 2; i++) await api().send('POST', `/v1/sessions/${id}/events`, body);
    await Promise.all([1, 2, 3].map(() => api().send('POST', `/v1/sessions/${id}/events`, body)));
    expect(await posts(id)).toBe(5);
  });

  test('a retry whose first attempt never arrived is a request of its own', async () => {
    const id = await makeSession(api());
    const body = { events: [message('go on')] };
    await api().send('POST', `/v1/sessions/${id}/events`, body);
    await expect.poll(() => count('select count(*) from idempotency where delivered_at is null'), WAIT).toBe(0);
    await api().send('POST', `/v1/sessions/${id}/events`, body, retry(1));
    expect(await posts(id)).toBe(2);
  });
});

describe('a retry after a failure', () => {
  test('acts under the first attempt’s id: what had reached Temporal is not done again', async () => {
    const id = await makeSession(api());
    const body = { events: [message('once')] };
    api().faults.broken.post = 'after';
    expect((await api().send('POST', `/v1/sessions/${id}/events`, body)).status).toBe(500);
    api().faults.broken.post = undefined;
    const again = await api().send('POST', `/v1/sessions/${id}/events`, body, retry(1));
    expect([again.status, await posts(id)]).toEqual([200, 1]);
    expect(await messageIds(id)).toEqual([again.json.data[0].id]);
  });

  test('a request that took too long goes on, and its retry joins it', async () => {
    const id = await makeSession(api());
    const body = { events: [message('once')] };
    api().faults.delayMs = 5000;
    const late = await api().send('POST', `/v1/sessions/${id}/events`, body);
    expect([late.status, late.json.error.type]).toEqual([504, 'timeout_error']);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    api().faults.delayMs = 0;
    const again = await api().send('POST', `/v1/sessions/${id}/events`, body, retry(1));
    expect([again.status, await posts(id)]).toEqual([200, 1]);
  });

  test('the SDK’s own retries make one message of one send', async () => {
    const id = await makeSession(api());
    api().faults.broken.post = 'after';
    setTimeout(() => {
      api().faults.broken.post = undefined;
    }, 200);
    await api()
      .client({ maxRetries: 4 })
      .beta.sessions.events.send(id, { events: [message('once') as never] });
    expect(await posts(id)).toBe(1);
  }, 15_000);

  test('the SDK’s own retries make one session of one create', async () => {
    const { agent, environment } = await makeParts(api());
    api().faults.broken.start = 'after';
    setTimeout(() => {
      api().faults.broken.start = undefined;
    }, 200);
    const session = await api().client({ maxRetries: 4 }).beta.sessions.create({ agent, environment_id: environment });
    expect(session.status).toBe('idle');
    expect(await count('select count(*) from sessions where agent_id = $1', agent)).toBe(1);
  }, 15_000);

  test('two equal requests that both failed, and are both retried, are two messages', async () => {
    const id = await makeSession(api());
    const body = { events: [message('twice')] };
    api().faults.broken.post = 'after';
    await Promise.all([1, 2].map(() => api().send('POST', `/v1/sessions/${id}/events`, body)));
    const second = await Promise.all([1, 2].map(() => api().send('POST', `/v1/sessions/${id}/events`, body, retry(1))));
    expect(second.map((reply) => reply.status)).toEqual([500, 500]);
    api().faults.broken.post = undefined;
    const third = await Promise.all([1, 2].map(() => api().send('POST', `/v1/sessions/${id}/events`, body, retry(2))));
    expect(new Set(third.map((reply) => reply.json.data[0].id)).size).toBe(2);
    expect(await posts(id)).toBe(2);
  });

  test('a refused request is nothing to join', async () => {
    const id = await makeSession(api(), { initial_events: [message('answer slowly')] });
    expect((await api().send('DELETE', `/v1/sessions/${id}`)).status).toBe(400);
    const open = 'select count(*) from idempotency where delivered_at is null and status is null';
    await expect.poll(() => count(open), WAIT).toBe(0);
  });
});

describe('a lost answer', () => {
  test.each([
    [
      'an agent',
      '/v1/agents',
      { name: 'lost agent', model: 'm' },
      "select count(*) from agents where body->>'name' = 'lost agent'",
    ],
    [
      'an environment',
      '/v1/environments',
      { name: 'lost env' },
      "select count(*) from environments where body->>'name' = 'lost env'",
    ],
  ])('%s is made once', async (_name, path, body, sql) => {
    const first = await api().send('POST', path, body);
    await loseAnswer();
    const again = await api().send('POST', path, body, retry(1));
    expect(again.json).toEqual(first.json);
    expect(await count(sql)).toBe(1);
  });

  test('a session that was deleted is reported as deleted, not as unknown', async () => {
    const id = await makeSession(api());
    await api().send('DELETE', `/v1/sessions/${id}`);
    await loseAnswer();
    expect((await api().send('DELETE', `/v1/sessions/${id}`, undefined, retry(1))).json).toEqual({
      id,
      type: 'session_deleted',
    });
    expect((await api().send('DELETE', `/v1/sessions/${id}`)).status).toBe(404);
  });

  test('a connection that breaks under an unmodified SDK makes one message', async () => {
    const id = await makeSession(api());
    const proxy = await lossy(1);
    api().faults.delayMs = 300;
    const sent = await api()
      .client({ baseURL: proxy.url, maxRetries: 2 })
      .beta.sessions.events.send(id, { events: [message('once') as never] });
    expect([proxy.seen(), await posts(id)]).toEqual([2, 1]);
    expect(await messageIds(id)).toEqual([sent.data?.[0]?.id]);
  }, 15_000);

  test('a process that restarts between act and answer', async () => {
    const id = await makeSession(api());
    const body = { events: [message('once')] };
    api().faults.delayMs = 60_000;
    const abort = new AbortController();
    const lost = fetch(new URL(`/v1/sessions/${id}/events`, api().url), {
      method: 'POST',
      body: JSON.stringify(body),
      headers: {
        authorization: 'Bearer lh-test-key-of-the-first-workspace-0123456789',
        'anthropic-version': '2026-10-21',
        'anthropic-beta': 'managed-agents-2026-04-01',
      },
      signal: abort.signal,
    }).catch(() => undefined);
    await expect.poll(() => posts(id), WAIT).toBe(1);
    api().faults.delayMs = 0;
    abort.abort();
    await lost;
    await api().restart();
    const again = await api().send('POST', `/v1/sessions/${id}/events`, body, retry(1));
    expect([again.status, await posts(id)]).toEqual([200, 1]);
  }, 15_000);
});

test('a request whose client has gone before it was noted is not done: its retry may have come first', async () => {
  const id = await makeSession(api());
  const body = { events: [message('once')] };
  const { orm } = api().database;
  const insert = orm.insert.bind(orm);
  const gate = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  // The first attempt gets as far as its row, and is held there as a busy database would.
  const waiting = vi.spyOn(api().deps.database.orm, 'insert').mockImplementationOnce((table) => {
    const query = insert(table);
    const values = query.values.bind(query);
    query.values = ((row: never) => {
      const made = values(row).onConflictDoNothing();
      const late = async () => {
        held.resolve();
        await gate.promise;
        return await made.returning();
      };
      return { onConflictDoNothing: () => ({ returning: late }) };
    }) as never;
    return query;
  });
  const abort = new AbortController();
  const lost = api()
    .client()
    .beta.sessions.events.send(id, { events: [message('once') as never] }, { signal: abort.signal })
    .catch(() => undefined);
  await held.promise;
  abort.abort();
  await lost;
  await new Promise((resolve) => setTimeout(resolve, 375));
  waiting.mockRestore();
  const again = await api().send('POST', `/v1/sessions/${id}/events`, body, retry(1));
  gate.resolve();
  // Long enough for it to be done, if it were.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await messageIds(id)).toEqual([again.json.data[0].id]);
});

describe('Idempotency-Key', () => {
  const withKey = (key: string) => ({ 'idempotency-key': key });

  test('the same key is the same request, delivered or not', async () => {
    const id = await makeSession(api());
    const body = { events: [message('once')] };
    const replies = [];
    for (let i = 0; i < 3; i++)
      replies.push(await api().send('POST', `/v1/sessions/${id}/events`, body, withKey('k1')));
    expect(new Set(replies.map((reply) => reply.json.data[0].id)).size).toBe(1);
    expect(await posts(id)).toBe(1);
  });

  test('also when they come at the same time', async () => {
    const body = { name: 'keyed', model: 'm' };
    const replies = await Promise.all([1, 2, 3, 4].map(() => api().send('POST', '/v1/agents', body, withKey('k2'))));
    expect(new Set(replies.map((reply) => reply.json.id)).size).toBe(1);
    expect(await count("select count(*) from agents where body->>'name' = 'keyed'")).toBe(1);
  });

  test('another request under the same key is refused', async () => {
    await api().send('POST', '/v1/environments', { name: 'one' }, withKey('k3'));
    const reply = await api().send('POST', '/v1/environments', { name: 'two' }, withKey('k3'));
    expect([reply.status, reply.json.error.message]).toEqual([400, expect.stringMatching(/^idempotency-key: /)]);
  });

  test('after ten minutes a key is free again', async () => {
    await api().send('POST', '/v1/environments', { name: 'one' }, withKey('k4'));
    await api().database.pool.query(
      "update idempotency set created_at = now() - interval '11 minutes' where key = 'key:k4'",
    );
    expect((await api().send('POST', '/v1/environments', { name: 'two' }, withKey('k4'))).status).toBe(200);
  });
});
