/** For tables of wrong requests: each is refused with a status, a type and words that name the field, and leaves nothing. */
import { expect } from 'vitest';
import { makeParts, OTHER_KEY, type Reply, type TestApi } from './testing.ts';
import { makeStored } from './testing-log.ts';

/** Name, path, body, what the message begins with (or matches), and the status where it is not 400. */
export type Case = [name: string, path: string, body: unknown, field: string | RegExp, status?: number];

const TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  409: 'conflict_error',
  413: 'request_too_large',
};

export function expectRefusal(reply: Reply, field: string | RegExp, status = 400): void {
  expect([reply.status, reply.json?.error?.message]).toEqual([status, expect.stringMatching(pattern(field))]);
  expect(reply.json).toMatchObject({
    type: 'error',
    error: { type: TYPES[status] },
    request_id: reply.headers.get('request-id'),
  });
  expect(reply.json.error.message.length).toBeLessThan(2_500);
}

function pattern(field: string | RegExp): RegExp {
  return typeof field === 'string' ? new RegExp(`^${field.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`) : field;
}

/**
 * A fingerprint of every table: what each row holds. Of `idempotency` only the rows are counted, since an answer's
 * delivery is noted a moment after it.
 */
export async function stored(api: TestApi): Promise<string> {
  const { pool } = api.database;
  const tables = await pool.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public' order by 1`,
  );
  expect(tables.rows.length).toBeGreaterThan(10);
  const parts = tables.rows.map(({ name }) =>
    name === 'idempotency'
      ? `(select count(*)::text from idempotency)`
      : `(select count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') from "${name}" t)`,
  );
  const result = await pool.query(`select ${parts.map((part, index) => `${part} as t${index}`).join(', ')}`);
  return JSON.stringify(tables.rows.map(({ name }, index) => [name, result.rows[0]?.[`t${index}`]]));
}

/** Runs `act` and demands that it left nothing behind, and that the process is alive after it. */
export async function leavesNothing<T>(api: TestApi, act: () => Promise<T>): Promise<T> {
  const before = await stored(api);
  const result = await act();
  expect(await stored(api)).toBe(before);
  expect((await api.send('GET', '/healthz')).status).toBe(200);
  return result;
}

/** Sends a case's request, its names (`"AGENT"`, `ENV`, `SESSION`, …) replaced by ids, and demands its refusal. */
export async function refuse(api: TestApi, [, path, body, field, status]: Case, ids: Record<string, string>) {
  const named = (text: string) =>
    Object.entries(ids).reduce((sum, [name, id]) => sum.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), id), text);
  const sent = body === undefined || typeof body === 'string' ? body : named(JSON.stringify(body));
  const reply = await leavesNothing(api, () => api.send('POST', named(path), sent));
  expectRefusal(reply, field, status);
}

/** Objects of this workspace and of another, by the names that cases use. */
export async function makeOwned(api: TestApi): Promise<Record<string, string>> {
  const { agent: AGENT, environment: ENV } = await makeParts(api);
  const { agent: ARCHIVED, environment: OLD } = await makeParts(api);
  await api.send('POST', `/v1/agents/${ARCHIVED}/archive`);
  await api.send('POST', `/v1/environments/${OLD}/archive`);
  const theirs = { authorization: `Bearer ${OTHER_KEY}` };
  const { id: FOREIGN } = (await api.send('POST', '/v1/agents', { name: 'x', model: 'm' }, theirs)).json;
  const { id: ABROAD } = (await api.send('POST', '/v1/environments', { name: 'x' }, theirs)).json;
  return { AGENT, ENV, ARCHIVED, OLD, FOREIGN, ABROAD, SESSION: (await makeStored(api)).id };
}
