import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Rehearsal, startRehearsal } from './rehearsal.ts';

let rehearsal: Rehearsal;
beforeAll(async () => {
  rehearsal = await startRehearsal({ script: { rehearsal: 'door' }, firstTokenMs: 0 });
});
afterAll(() => rehearsal.close());

describe('who may ask', () => {
  const raw = (headers: Record<string, string>, body = '{}') =>
    fetch(`${rehearsal.url}/v1/messages`, { method: 'POST', headers, body });
  test('a request without a key is 401, with any key it is heard', async () => {
    const version = { 'anthropic-version': '2023-06-01' };
    for (const headers of [version, { ...version, 'x-api-key': '' }, { ...version, authorization: 'Bearer ' }]) {
      const response = await raw(headers);
      expect([response.status, ((await response.json()) as { error: { type: string } }).error.type]).toEqual([
        401,
        'authentication_error',
      ]);
    }
    expect((await raw({ ...version, 'x-api-key': 'a' })).status).toBe(400);
    expect((await raw({ ...version, authorization: 'Bearer a' })).status).toBe(400);
  });
  test('a body that is not JSON, or too large, is an error and not a crash', async () => {
    const headers = { 'anthropic-version': '2023-06-01', 'x-api-key': 'a' };
    expect((await raw(headers, '{"model":')).status).toBe(400);
    expect((await raw(headers, ' '.repeat(33 * 1024 * 1024))).status).toBe(413);
    expect((await fetch(`${rehearsal.url}/v1/files`, { headers })).status).toBe(404);
  });
});
