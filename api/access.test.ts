import { request } from 'node:http';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { authenticate, ensureApiKey, newApiKey, revokeApiKey } from '../store/keys.ts';
import { checkBindAddress } from './safety.ts';
import { BETA, KEY, OTHER_KEY, useApi } from './testing.ts';
import { makeStored } from './testing-log.ts';

const logged: string[] = [];
const api = useApi({
  log: pino({ level: 'trace' }, { write: (line) => void logged.push(line) }),
  settings: { allowedOrigins: ['https://console.example'], allowedHosts: ['box.lan'] },
  health: async () => ({ temporal: { ok: false, reason: 'not reachable' }, database: { ok: true } }),
});

describe('keys', () => {
  test.each([
    ['as a bearer token', { authorization: `Bearer ${KEY}` }, 200],
    ['as x-api-key, as older SDKs do', { authorization: null, 'x-api-key': KEY }, 200],
    ['none', { authorization: null }, 401],
    ['an unknown one', { authorization: 'Bearer lh-nobody' }, 401],
    ['of another scheme', { authorization: `Basic ${KEY}` }, 401],
    ['an empty one', { authorization: 'Bearer ' }, 401],
  ])('%s', async (_name, headers, status) => {
    const reply = await api().send('GET', '/v1/agents', undefined, headers);
    expect(reply.status).toBe(status);
    if (status === 401) expect(reply.json.error.type).toBe('authentication_error');
    expect(reply.headers.get('request-id')).toMatch(/^req_/);
  });

  test('a revoked key is refused at once, and only its hash is stored', async () => {
    const key = newApiKey();
    const { orm, pool } = api().database;
    await ensureApiKey(orm, key, { id: 'apikey_9', workspaceId: 'wrkspc_1', name: 'n', now: new Date() });
    const call = () => api().send('GET', '/v1/agents', undefined, { authorization: `Bearer ${key}` });
    expect((await call()).status).toBe(200);
    expect(await revokeApiKey(orm, 'apikey_9', new Date())).toBe(true);
    expect((await call()).status).toBe(401);
    expect(await authenticate(orm, key)).toBeUndefined();
    const rows = await pool.query('select * from api_keys');
    expect(JSON.stringify(rows.rows)).not.toContain(key.slice(8));
    expect(key).toMatch(/^lh-[A-Za-z0-9_-]{43}$/);
  });

  test('the workspace header must be the key’s own', async () => {
    const call = (id: string) => api().send('GET', '/v1/agents', undefined, { 'anthropic-workspace-id': id });
    expect((await call('wrkspc_1')).headers.get('anthropic-workspace-id')).toBe('wrkspc_1');
    expect((await call('wrkspc_2')).json.error.type).toBe('permission_error');
  });
});

describe('versions and betas', () => {
  test.each([
    ['today’s version', '/v1/agents', {}, 200],
    ['the version of older SDKs', '/v1/agents', { 'anthropic-version': '2023-06-01' }, 200],
    ['no version', '/v1/agents', { 'anthropic-version': null }, 400],
    ['an unknown version', '/v1/agents', { 'anthropic-version': '1999-01-01' }, 400],
    ['the beta twice, among others', '/v1/agents', { 'anthropic-beta': `x, ${BETA},${BETA}` }, 200],
    ['no beta on agents', '/v1/agents', { 'anthropic-beta': null }, 404],
    ['another beta on sessions', '/v1/sessions', { 'anthropic-beta': 'dreaming-2026-04-21' }, 404],
    ['no beta on models', '/v1/models', { 'anthropic-beta': null }, 200],
    ['?beta=true', '/v1/agents?beta=true', {}, 200],
  ])('%s', async (_name, path, headers, status) => {
    expect((await api().send('GET', path, undefined, headers)).status).toBe(status);
  });
});

describe('a web page cannot reach in', () => {
  const withHost = (host: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const { port } = new URL(api().url);
      const headers = { host, authorization: `Bearer ${KEY}`, 'anthropic-version': '2023-06-01' };
      request({ port, host: '127.0.0.1', path: '/v1/models', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
  test.each([
    ['localhost', 200],
    ['localhost:8787', 200],
    ['127.0.0.1', 200],
    ['[::1]:8787', 200],
    ['box.lan:80', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example:8787', 403],
  ])('Host: %s is answered with %i', async (host, status) => {
    expect(await withHost(host)).toBe(status);
  });

  test.each([
    ['https://console.example', 'https://console.example'],
    ['https://evil.example', null],
  ])('origin %s is allowed as %s', async (origin, allowed) => {
    const reply = await api().send('GET', '/v1/models', undefined, { origin });
    expect(reply.headers.get('access-control-allow-origin')).toBe(allowed);
  });
});

test('a browser of an allowed origin may ask first, and may read what went wrong', async () => {
  const origin = 'https://console.example';
  const ask = {
    origin,
    authorization: null,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization',
  };
  const preflight = await api().send('OPTIONS', '/v1/sessions', undefined, ask);
  expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'authorization']);
  const refused = await api().send('GET', '/v1/agents', undefined, { origin, authorization: null });
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, origin]);
});

test.each([
  ['127.0.0.1', undefined, true],
  ['::1', undefined, true],
  ['0.0.0.0', undefined, false],
  ['0.0.0.0', 'lh-short', false],
  ['10.0.0.5', 'k'.repeat(32), true],
])('listening on %s with key %s is allowed: %s', (host, key, allowed) => {
  const check = () => checkBindAddress(host, key);
  if (allowed) expect(check).not.toThrow();
  else expect(check).toThrow(/LONGHAND_API_KEY/);
});

test('33 MB are too large, and the client sees the answer', async () => {
  const session = (await makeStored(api())).id;
  const text = 'x'.repeat(33_000_000);
  const reply = await api().send('POST', `/v1/sessions/${session}/events`, {
    events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });
  expect([reply.status, reply.json.error.type]).toEqual([413, 'request_too_large']);
});

test('the log names every request, and holds no body and no key, not even when the database fails', async () => {
  const { pool } = api().database;
  await pool.query('alter table agents rename to agents_away');
  const agent = { name: 'n', model: 'm', system: 'a secret of the client' };
  const failed = await api().send('POST', '/v1/agents', agent);
  await pool.query('alter table agents_away rename to agents');
  expect([failed.status, failed.json.error.message]).toEqual([500, expect.stringMatching(/^Internal error/)]);
  const text = logged.join('');
  expect(text).toContain(failed.json.request_id);
  expect(text).toContain('"path":"/v1/agents","status":500');
  for (const secret of ['a secret of the client', KEY, OTHER_KEY]) expect(text).not.toContain(secret);
});

test('health says which part is down', async () => {
  const reply = await api().send('GET', '/healthz', undefined, { authorization: null });
  expect([reply.status, reply.json.parts.temporal]).toEqual([503, { ok: false, reason: 'not reachable' }]);
});

test('the API describes itself', async () => {
  const { json, status } = await api().send('GET', '/openapi.json', undefined, { authorization: null });
  expect(status).toBe(200);
  const operations = Object.entries(json.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(operations).toHaveLength(47);
  expect(JSON.stringify(json.paths['/v1/files'].post.requestBody)).toContain('multipart/form-data');
  expect(operations).toContain('POST /v1/sessions/{session_id}/events');
  expect(JSON.stringify(json.paths['/v1/agents'].post.requestBody)).toContain('agent_toolset_20260401');
});

test('models are listed in the pages of the Models API', async () => {
  const client = api().client();
  const seen: string[] = [];
  for await (const model of client.models.list({ limit: 2 })) seen.push(model.id);
  expect(seen).toEqual(['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-4-5']);
  const back = await client.models.list({ limit: 1, before_id: 'claude-haiku-4-5' });
  expect(back.data.map((model) => model.id)).toEqual(['claude-sonnet-5-5']);
  expect(await client.models.retrieve('claude-opus-5-5')).toMatchObject({
    type: 'model',
    max_input_tokens: 200_000,
    lifecycle: 'active',
  });
  await expect(client.models.retrieve('claude-none')).rejects.toThrow(/404/);
});

test('another workspace’s sessions are not there', async () => {
  const session = (await makeStored(api())).id;
  const other = { authorization: `Bearer ${OTHER_KEY}` };
  for (const path of ['', '/events', '/events/stream', '/threads']) {
    expect((await api().send('GET', `/v1/sessions/${session}${path}`, undefined, other)).status).toBe(404);
  }
  const events = { events: [{ type: 'user.interrupt' }] };
  expect((await api().send('POST', `/v1/sessions/${session}/events`, events, other)).status).toBe(404);
  expect((await api().send('DELETE', `/v1/sessions/${session}`, undefined, other)).status).toBe(404);
});
