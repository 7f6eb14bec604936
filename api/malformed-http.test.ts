/** Requests that are wrong as HTTP: methods, headers, sizes, encodings, and bodies that end too early. */
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { BETA, KEY, type Reply, useApi } from './testing.ts';
import { expectRefusal, leavesNothing, makeOwned } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};
beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);

const HEAD = [
  'Host: 127.0.0.1',
  `Authorization: Bearer ${KEY}`,
  'anthropic-version: 2026-10-21',
  `anthropic-beta: ${BETA}`,
];

/** Writes these bytes, and reads until the server closes or has answered. @param end - the client says no more. */
async function raw(lines: string[], body: string | Buffer = '', end = false): Promise<Reply> {
  const socket = connect(Number(new URL(api().url).port), '127.0.0.1');
  let text = '';
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk;
      const [head = '', rest] = text.split('\r\n\r\n');
      const length = Number(head.match(/content-length: (\d+)/i)?.[1] ?? Number.POSITIVE_INFINITY);
      if (rest !== undefined && Buffer.byteLength(rest) >= length) socket.destroy();
    });
    socket.on('close', resolve).on('error', () => undefined);
    socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(body)]));
    if (end) socket.end();
  });
  const [head = '', json = ''] = text.split('\r\n\r\n');
  const headers = new Headers(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(/: (.*)/).slice(0, 2) as [string, string]),
  );
  return { status: Number(head.split(' ')[1]), headers, json: json === '' ? undefined : JSON.parse(json) };
}

describe('a method', () => {
  test.each([
    ['PUT', '/v1/agents/AGENT', 'GET, HEAD, POST'],
    ['PATCH', '/v1/agents/AGENT', 'GET, HEAD, POST'],
    ['DELETE', '/v1/agents/AGENT', 'GET, HEAD, POST'],
    ['DELETE', '/v1/agents', 'POST, GET, HEAD'],
    ['GET', '/v1/agents/AGENT/archive', 'POST'],
    ['POST', '/v1/models', 'GET, HEAD'],
    ['PUT', '/v1/sessions/SESSION', 'GET, HEAD, POST, DELETE'],
    ['POST', '/v1/sessions/SESSION/events/stream', 'GET, HEAD'],
    ['OPTIONS', '/v1/agents', 'POST, GET, HEAD'],
  ])('%s %s is not one of the path’s', async (method, path, allow) => {
    const at = path.replace(/AGENT|SESSION/, (name) => ids[name] ?? '');
    const reply = await leavesNothing(api(), () => api().send(method, at));
    expectRefusal(reply, `${method} is not a method of ${at}; it has `, 405);
    expect(reply.headers.get('allow')?.split(', ').sort()).toEqual(allow.split(', ').sort());
  });

  test.each(['TRACE', 'QUERY', 'LOCK'])('%s is not one of the path’s', async (method) => {
    expectRefusal(await raw([`${method} /v1/agents HTTP/1.1`, ...HEAD]), `${method} is not a method`, 405);
  });
});

describe('headers', () => {
  test.each<[string, Record<string, string | null>, string, number?]>([
    ['no version', { 'anthropic-version': null }, 'anthropic-version: header is required'],
    ['an unknown version', { 'anthropic-version': '2023-06-31' }, 'anthropic-version: "2023-06-31" is not'],
    ['two versions', { 'anthropic-version': '2023-06-01, 2026-10-21' }, 'anthropic-version: "2023'],
    ['a version without end', { 'anthropic-version': '1'.repeat(5000) }, 'anthropic-version: "1'],
    ['no beta', { 'anthropic-beta': null }, 'anthropic-beta: ', 404],
    ['an empty beta', { 'anthropic-beta': '' }, 'anthropic-beta: ', 404],
    ['half a beta', { 'anthropic-beta': BETA.slice(0, -1) }, 'anthropic-beta: ', 404],
    ['a beta in capital letters', { 'anthropic-beta': BETA.toUpperCase() }, 'anthropic-beta: ', 404],
    ['betas with semicolons', { 'anthropic-beta': `x;${BETA}` }, 'anthropic-beta: ', 404],
    ['no key', { authorization: null }, 'An API key is required', 401],
    ['two words for a key', { authorization: `Bearer ${KEY} x` }, 'An API key is required', 401],
    ['an unknown key', { authorization: 'Bearer lh-x' }, 'The API key is not known', 401],
    ['a key of a megabyte less', { authorization: `Bearer ${'k'.repeat(20_000)}` }, 'The API key is not known', 401],
    ['another workspace', { 'anthropic-workspace-id': 'wrkspc_2' }, 'anthropic-workspace-id: ', 403],
    ['an empty Idempotency-Key', { 'idempotency-key': '' }, 'idempotency-key: Input must have 1 to 255'],
    ['a long Idempotency-Key', { 'idempotency-key': 'k'.repeat(256) }, 'idempotency-key: Input must have 1 to 255'],
  ])('%s', async (_name, headers, field, status) => {
    const body = { name: 'a', model: 'm' };
    expectRefusal(await leavesNothing(api(), () => api().send('POST', '/v1/agents', body, headers)), field, status);
  });

  test.each(['x', '-1', '1.5', '1e3', '9'.repeat(16), '1, 2'])('Last-Event-ID: %s', async (last) => {
    const reply = await api().send('GET', `/v1/sessions/${ids.SESSION}/stream`, undefined, { 'last-event-id': last });
    expectRefusal(reply, 'last-event-id: ');
  });

  test('retry counts that are none count as a first attempt', async () => {
    for (const count of ['x', '-1', '1e999', '1.5']) {
      const reply = await api().send('POST', '/v1/environments', { name: count }, { 'x-stainless-retry-count': count });
      expect(reply.status).toBe(200);
    }
  });

  test.each<[string, string[], number, RegExp]>([
    ['of 40 kB', [...HEAD, `x: ${'a'.repeat(40_000)}`], 431, /limit of 32 KiB/],
    ['3,000 of them', [...HEAD, ...Array.from({ length: 3000 }, (_, i) => `x${i}: 1`)], 431, /limit of 32 KiB/],
    ['without a colon', [...HEAD, 'bad header'], 400, /not valid HTTP/],
    ['no Host', HEAD.slice(1), 400, /no valid URL/],
    ['two Hosts', [...HEAD, 'Host: two'], 403, /Host header "127.0.0.1, two"/],
    ['a Host of another machine', ['Host: evil.example', ...HEAD.slice(1)], 403, /Host header "evil.example"/],
    ['a Host that is none', ['Host: a b\\@', ...HEAD.slice(1)], 400, /no valid URL/],
    ['an expectation', [...HEAD, 'Expect: miracles'], 417, /^expect: /],
    ['a length that is negative', [...HEAD, 'Content-Length: -1'], 400, /not valid HTTP/],
    ['a length and chunks', [...HEAD, 'Content-Length: 3', 'Transfer-Encoding: chunked'], 400, /not valid HTTP/],
  ])('%s', async (_name, headers, status, message) => {
    const reply = await leavesNothing(api(), () => raw(['POST /v1/agents HTTP/1.1', ...headers]));
    expect([reply.status, reply.json?.error?.message]).toEqual([status, expect.stringMatching(message)]);
    expect(reply.json.request_id).toBe(reply.headers.get('request-id'));
  });

  test.each([
    ['FOO /v1/agents HTTP/1.1', /not valid HTTP/],
    ['GET /v1/ag ents HTTP/1.1', /not valid HTTP/],
    ['GET /v1/agents HTTP/9.1', /not valid HTTP/],
    ['GET * HTTP/1.1', /no valid URL/],
    ['GET ftp://127.0.0.1/v1/agents HTTP/1.1', /no valid URL/],
  ])('the first line %s', async (line, message) => {
    expectRefusal(await raw([line, ...HEAD]), message);
  });
});

describe('a body', () => {
  const post = (headers: string[], body: string | Buffer, end?: boolean) =>
    leavesNothing(api(), () => raw(['POST /v1/agents HTTP/1.1', ...HEAD, ...headers], body, end));
  const sized = (body: string | Buffer, ...headers: string[]) =>
    post([...headers, `Content-Length: ${Buffer.byteLength(body)}`], body);
  const good = '{"name":"a","model":"m"}';

  test.each<[string, Buffer, RegExp]>([
    ['a byte that begins nothing', Buffer.from([0x7b, 0xff, 0x7d]), /not valid UTF-8/],
    [
      'a character that is cut off',
      Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xe6, 0xbc])]),
      /not valid UTF-8/,
    ],
    [
      'half a surrogate pair as bytes',
      Buffer.from('7b226e616d65223a22eda08022 7d'.replace(' ', ''), 'hex'),
      /not valid UTF-8/,
    ],
    ['an overlong slash', Buffer.from('7b226e616d65223a22c0af227d', 'hex'), /not valid UTF-8/],
    ['UTF-16', Buffer.from(good, 'utf16le'), /not valid JSON/],
    ['gzip', gzipSync(good), /not valid UTF-8/],
    ['only U+0000', Buffer.alloc(10), /not valid JSON/],
    ['a raw line break in a string', Buffer.from('{"name":"a\nb","model":"m"}'), /not valid JSON/],
  ])('of %s', async (_name, body, message) => {
    expectRefusal(await sized(body, 'content-type: application/json'), message);
  });

  test.each(['multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', 'text/xml', '', 'a/b; c'])(
    'of content type %j that is not JSON',
    async (type) => {
      expectRefusal(await sized('name=a&model=m', `content-type: ${type}`), /not valid JSON/);
    },
  );

  test('in chunks with a length that is none', async () => {
    expectRefusal(await post(['Transfer-Encoding: chunked'], 'zz\r\n{}\r\n0\r\n\r\n'), /not valid HTTP/);
  });

  test('that ends too early is no request: nothing is stored, and the process lives', async () => {
    await post(['Content-Length: 1000'], good, true);
    await post(['Transfer-Encoding: chunked'], `${good.length.toString(16)}\r\n${good}\r\n`, true);
    const list = await api().send('GET', '/v1/agents');
    expect(list.status).toBe(200);
  });

  test.each(['/v1/agents', '/v1/sessions', '/v1/sessions/SESSION/events', '/v1/agents/AGENT/archive'])(
    'of 33 MB to %s',
    async (path) => {
      const at = path.replace(/AGENT|SESSION/, (name) => ids[name] ?? '');
      const body = `{"name":"${'x'.repeat(33_000_000)}"}`;
      expectRefusal(await leavesNothing(api(), () => api().send('POST', at, body)), /over the limit/, 413);
    },
  );
});
