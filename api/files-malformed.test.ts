/** Uploads and file requests that are wrong: refused whole, with the field's name, and nothing stored. */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { BETA, KEY, useApi } from './testing.ts';

const api = useApi();
const TYPE = 'multipart/form-data; boundary=xx';
const part = (disposition: string, body: string, type = 'text/plain') =>
  `--xx\r\ncontent-disposition: form-data; ${disposition}\r\ncontent-type: ${type}\r\n\r\n${body}\r\n`;
const FILE = part('name="file"; filename="a.txt"', 'hello');
const END = '--xx--\r\n';

/** Name, body, what the message must hold, content type, status. */
type Upload = [name: string, body: string, message: string | RegExp, type?: string, status?: number];
const uploads: Upload[] = [
  ['JSON', '{"file":"x"}', 'content-type', 'application/json'],
  ['no content type', FILE + END, 'content-type', 'text/plain'],
  ['multipart without a boundary', FILE + END, 'content-type', 'multipart/form-data'],
  ['multipart with an empty boundary', FILE + END, /boundary|Unexpected end/, 'multipart/form-data; boundary='],
  ['multipart of another kind', FILE + END, 'content-type', 'multipart/mixed; boundary=xx'],
  [
    'a boundary that never comes',
    FILE + END,
    /multipart|Unexpected|Field required/,
    'multipart/form-data; boundary=yy',
  ],
  ['an empty body', '', /multipart|Unexpected|Field required/],
  ['only the end', END, /Field required|Unexpected end/],
  [
    'a body that ends within a file',
    '--xx\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nhal',
    /multipart/,
  ],
  ['a body that ends within a header', '--xx\r\ncontent-dispos', /multipart|Field required/],
  ['a body without its end', FILE.trimEnd(), /multipart/],
  ['no file', part('name="expires_in_seconds"', '3600') + END, 'file: Field required'],
  ['the file as a field of another name', part('name="upload"; filename="a"', 'x') + END, 'upload: Extra inputs'],
  ['two files', FILE + FILE + END, 'file: Input may be given only once'],
  ['three files', FILE + FILE + FILE + END, 'file: Input may be given only once'],
  ['an empty file', part('name="file"; filename="a.txt"', '') + END, 'file: The file is empty'],
  ['a list of files', FILE.replace('"file"', '"file[0]"') + END, 'file[0]: Extra inputs'],
  ['an unknown field', FILE + part('name="purpose"', 'agent') + END, 'purpose: Extra inputs are not permitted'],
  [
    'a field twice',
    FILE + part('name="expires_in_seconds"', '3600').repeat(2) + END,
    'expires_in_seconds: Input may be given only once',
  ],
  ['a field that reaches prototypes', FILE + part('name="__proto__"', 'x') + END, '__proto__'],
  ['a field without a name', FILE + part('x="y"', 'x') + END, /no name/],
  [
    'an expiry of nothing',
    FILE + part('name="expires_in_seconds"', '') + END,
    'expires_in_seconds: Input is not a whole number',
  ],
  ['an expiry of words', FILE + part('name="expires_in_seconds"', 'soon') + END, 'expires_in_seconds: '],
  ['an expiry with a fraction', FILE + part('name="expires_in_seconds"', '3600.5') + END, 'expires_in_seconds: '],
  ['an expiry in the past', FILE + part('name="expires_in_seconds"', '-3600') + END, 'expires_in_seconds: '],
  [
    'an expiry under an hour',
    FILE + part('name="expires_in_seconds"', '3599') + END,
    'expires_in_seconds: Input must be between',
  ],
  [
    'an expiry over ninety days',
    FILE + part('name="expires_in_seconds"', '7776001') + END,
    'expires_in_seconds: Input must be between',
  ],
  [
    'an expiry as a file',
    FILE + part('name="expires_in_seconds"; filename="a"', '3600') + END,
    'expires_in_seconds: Extra inputs',
  ],
  [
    'a field of a megabyte',
    FILE + part('name="expires_in_seconds"', '1'.repeat(1_000_000)) + END,
    'expires_in_seconds: Input is longer',
  ],
  [
    'a hundred fields',
    FILE + part('name="f"', 'x').repeat(100) + END,
    /f: Input may be given only once|The form has more/,
  ],
  ['a name with NUL', part('name="file"; filename="a\0b"', 'x') + END, 'file: The filename holds control characters'],
  [
    'a name with a control character',
    part('name="file"; filename="a\u0007b"', 'x') + END,
    'file: The filename holds control',
  ],
  [
    'a name that is too long',
    part(`name="file"; filename="${'n'.repeat(256)}"`, 'x') + END,
    'file: The filename has more than 255',
  ],
  [
    'a header without end',
    `--xx\r\ncontent-disposition: form-data; name="file"; filename="${'n'.repeat(100_000)}"`,
    /multipart|Field required/,
  ],
];

describe('an upload is refused for', () => {
  test.each(uploads)('%s', async (_name, body, message, type = TYPE, status = 400) => {
    const reply = await api().send('POST', '/v1/files', body, { 'content-type': type });
    if (typeof message === 'string') expect(reply.json.error.message).toContain(message);
    else expect(reply.json.error.message).toMatch(message);
    expect([reply.status, reply.json.error.type]).toEqual([status, 'invalid_request_error']);
    expect((await api().send('GET', '/v1/files')).json.data).toEqual([]);
  });

  test('a file that is announced as larger than 500 MB, before it has come', async () => {
    const answer = await announce(600_000_000);
    expect(answer).toContain('HTTP/1.1 413');
    expect(answer).toContain('request_too_large');
  });

  test('whatever reason: none of its bytes are kept, unless a file that is there has the same', async () => {
    const { blobs } = api().deps;
    const sha256 = createHash('sha256').update('hello').digest('hex');
    expect(await blobs.size('wrkspc_1', sha256)).toBeUndefined();
    const kept = await api().send('POST', '/v1/files', FILE + END, { 'content-type': TYPE });
    const wrong = FILE + part('name="purpose"', 'x') + END;
    expect((await api().send('POST', '/v1/files', wrong, { 'content-type': TYPE })).status).toBe(400);
    expect(await blobs.size('wrkspc_1', sha256)).toBe(5);
    await api().send('DELETE', `/v1/files/${kept.json.id}`);
    expect((await api().send('POST', '/v1/files', wrong, { 'content-type': TYPE })).status).toBe(400);
    expect(await blobs.size('wrkspc_1', sha256)).toBeUndefined();
  });

  test('a key that is not known, before the file has come', async () => {
    const reply = await api().send('POST', '/v1/files', FILE + END, {
      'content-type': TYPE,
      authorization: 'Bearer lh-no',
    });
    expect(reply.status).toBe(401);
  });
});

/** Name, method, path, what the message must hold, status, headers. */
type Case = [
  name: string,
  method: string,
  path: string,
  message: string,
  status?: number,
  headers?: Record<string, string | null>,
];
const ids = (count: number) => Array.from({ length: count }, (_, i) => `ids[]=file_${i}`).join('&');
const cases: Case[] = [
  ['ids with a page', 'GET', '/v1/files?ids[]=file_1&page=x', 'page: Not allowed together with ids'],
  ['ids with a limit', 'GET', '/v1/files?ids[]=file_1&limit=5', 'limit: Not allowed together with ids'],
  ['more than 100 ids', 'GET', `/v1/files?${ids(101)}`, 'ids: At most 100'],
  ['an id that is none', 'GET', '/v1/files?ids[]=a%2Fb', 'ids.0: Input is not an id'],
  [
    'a scope without the beta',
    'GET',
    '/v1/files?scope_id=sesn_1',
    'scope_id: Only allowed with',
    400,
    { 'anthropic-beta': null },
  ],
  ['a scope that is no id', 'GET', '/v1/files?scope_id=..%2F..', 'scope_id: Input is not an id'],
  ['a limit of 0', 'GET', '/v1/files?limit=0', 'limit: Input must be between 1 and 1000'],
  ['a limit over the maximum', 'GET', '/v1/files?limit=1001', 'limit: Input must be between 1 and 1000'],
  ['a cursor that is none', 'GET', '/v1/files?page=abc', 'page: This is not a cursor'],
  ['an unknown parameter', 'GET', '/v1/files?purpose=x', 'purpose: Extra inputs'],
  ['an unknown file', 'GET', '/v1/files/file_none', 'File file_none was not found', 404],
  ['a file id with a path', 'GET', '/v1/files/..%2F..%2Fetc', 'was not found', 404],
  ['the content of an unknown file', 'GET', '/v1/files/file_none/content', 'File file_none was not found', 404],
  ['deleting an unknown file', 'DELETE', '/v1/files/file_none', 'File file_none was not found', 404],
];

describe('a request is refused for', () => {
  test.each(cases)('%s', async (_name, method, path, message, status = 400, headers = {}) => {
    const reply = await api().send(method, path, undefined, headers);
    expect(reply.json.error.message).toContain(message);
    expect(reply.status).toBe(status);
  });

  test('the content of an upload: only what agents make is given out', async () => {
    const { json } = await api().send('POST', '/v1/files', FILE + END, { 'content-type': TYPE });
    expect(json.downloadable).toBe(false);
    const reply = await api().send('GET', `/v1/files/${json.id}/content`);
    expect([reply.status, reply.json.error.details]).toEqual([400, { error_code: 'file_not_downloadable' }]);
    await api().send('DELETE', `/v1/files/${json.id}`);
  });
});

/** The head of an upload of so many bytes, and nothing more. */
async function announce(bytes: number): Promise<string> {
  const { hostname, port } = new URL(api().url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${KEY}\r\nanthropic-version: 2026-10-21\r\n` +
      `anthropic-beta: ${BETA}\r\ncontent-type: ${TYPE}\r\ncontent-length: ${bytes}\r\n\r\n`,
  );
  let answer = '';
  for await (const chunk of socket) {
    answer += String(chunk);
    if (answer.includes('request_id')) break;
  }
  socket.destroy();
  return answer;
}
