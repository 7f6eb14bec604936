/** What a session is given: paths, limits, and what is refused. A real session, without hands. */
import { beforeAll, describe, expect, test } from 'vitest';
import { mountPathOf, refuseOverlap } from './mount-path.ts';
import { BETA, KEY, makeParts, useApi } from './testing.ts';

const api = useApi({ temporal: true });
let agent = '';
let environment = '';
let file = '';

beforeAll(async () => {
  ({ agent, environment } = await makeParts(api()));
  file = await upload('data.csv', 'text/csv');
});

async function upload(name: string, type: string): Promise<string> {
  const form = new FormData();
  form.append('file', new File(['a,b'], name, { type }));
  const headers = { authorization: `Bearer ${KEY}`, 'anthropic-version': '2026-10-21', 'anthropic-beta': BETA };
  const reply = await fetch(`${api().url}/v1/files`, { method: 'POST', headers, body: form });
  return ((await reply.json()) as { id: string }).id;
}
const create = (more: object) => api().send('POST', '/v1/sessions', { agent, environment_id: environment, ...more });

describe('a mount path', () => {
  test.each([
    [null, '/mnt/session/uploads/file_1'],
    ['data.csv', '/mnt/session/uploads/data.csv'],
    ['/data.csv', '/mnt/session/uploads/data.csv'],
    ['sub/data.csv', '/mnt/session/uploads/sub/data.csv'],
    ['/mnt/session/uploads/x/y', '/mnt/session/uploads/x/y'],
    ['/workspace/data.csv', '/mnt/session/uploads/workspace/data.csv'],
    ['a//b', '/mnt/session/uploads/a/b'],
    ['…/漢字 1.csv', '/mnt/session/uploads/…/漢字 1.csv'],
  ])('%s is %s', (given, path) => {
    expect(mountPathOf(given, 'file_1', 'mount_path')).toBe(path);
  });

  test.each([
    '',
    '/',
    '.',
    '..',
    '../x',
    'a/../../x',
    '/mnt/session/uploads',
    '/mnt/session/uploads/',
    '/mnt/session/uploads/../outputs/x',
    'folder/',
    './x',
    'a/./b',
    'a\0b',
    'a\nb',
    'a\u007fb',
    '\ud800',
    'n'.repeat(256),
    `${'dir/'.repeat(300)}x`,
  ])('%j is refused', (given) => {
    expect(() => mountPathOf(given, 'file_1', 'mount_path')).toThrow(/^mount_path: /);
  });

  test('can neither be another one nor lie inside it', () => {
    const others = ['/mnt/session/uploads/a', '/mnt/session/uploads/b/c'];
    for (const path of ['a', 'a/x', 'b', 'b/c']) {
      expect(() => refuseOverlap(`/mnt/session/uploads/${path}`, others, 'at')).toThrow(/^at: /);
    }
    for (const path of ['aa', 'b/cc', 'b/d']) refuseOverlap(`/mnt/session/uploads/${path}`, others, 'at');
  });
});

/** Name, resources, what the message must hold, status. FILE is a file that is there. */
type Case = [name: string, resources: unknown, message: string, status?: number];
const cases: Case[] = [
  ['no list', { type: 'file', file_id: 'FILE' }, 'resources: Expected array'],
  ['an unknown kind', [{ type: 'folder' }], 'resources.0'],
  [
    'a repository',
    [{ type: 'github_repository', url: 'https://github.com/a/b' }],
    'resources.0.type: github_repository',
  ],
  ['a memory store', [{ type: 'memory_store', memory_store_id: 'memstore_1' }], 'resources.0.type: memory_store'],
  ['a file without its id', [{ type: 'file' }], 'resources.0.file_id: Field required'],
  ['an id that is none', [{ type: 'file', file_id: '../x' }], 'resources.0.file_id: Input is not an id'],
  [
    'a file that is not there',
    [
      { type: 'file', file_id: 'FILE' },
      { type: 'file', file_id: 'file_none' },
    ],
    'resources.1.file_id: File file_none was not found',
    404,
  ],
  ['a path that climbs', [{ type: 'file', file_id: 'FILE', mount_path: '../../etc/passwd' }], 'resources.0.mount_path'],
  ['a path that is a number', [{ type: 'file', file_id: 'FILE', mount_path: 7 }], 'resources.0.mount_path'],
  [
    'the same path twice',
    [
      { type: 'file', file_id: 'FILE' },
      { type: 'file', file_id: 'FILE' },
    ],
    'resources.1.mount_path',
  ],
  [
    'one inside the other',
    [
      { type: 'file', file_id: 'FILE', mount_path: 'a' },
      { type: 'file', file_id: 'FILE', mount_path: 'a/b' },
    ],
    'resources.1.mount_path',
  ],
  ['an unknown field', [{ type: 'file', file_id: 'FILE', mode: 'rw' }], 'resources.0.mode: Extra inputs'],
  ['more than 500', Array.from({ length: 501 }, () => ({ type: 'file', file_id: 'FILE' })), 'resources: '],
];

describe('a session is refused for', () => {
  test.each(cases)('%s', async (_name, resources, message, status = 400) => {
    const reply = await create({ resources: JSON.parse(JSON.stringify(resources).replaceAll('FILE', file)) });
    expect(reply.json.error.message).toContain(message);
    expect(reply.status).toBe(status);
  });

  test('a file that has expired', async () => {
    const old = await upload('old.csv', 'text/csv');
    await api().database.pool.query(`update files set expires_at = now() where id = $1`, [old]);
    const reply = await create({ resources: [{ type: 'file', file_id: old }] });
    expect([reply.status, reply.json.error.details]).toEqual([404, { error_code: 'file_expired' }]);
  });

  test('messages that name files of the wrong kind', async () => {
    const block = (type: string, id: string) => ({
      initial_events: [{ type: 'user.message', content: [{ type, source: { type: 'file', file_id: id } }] }],
    });
    const picture = await upload('a.png', 'image/png');
    expect((await create(block('document', picture))).json.error.message).toContain(
      'must be application/pdf or text/plain',
    );
    expect((await create(block('image', file))).json.error.message).toContain(
      'initial_events.0.content.0.source.file_id',
    );
    expect((await create(block('document', 'file_none'))).status).toBe(404);
    const many = Array.from({ length: 101 }, () => ({ type: 'document', source: { type: 'file', file_id: file } }));
    const reply = await create({ initial_events: [{ type: 'user.message', content: many }] });
    expect(reply.json.error.message).toContain('At most 100 document blocks');
  });
});

describe('the resources of a live session', () => {
  test('are added, listed, shown and removed, each once; the session object shows them', async () => {
    const session = (await create({ resources: [{ type: 'file', file_id: file, mount_path: 'one' }] })).json;
    const path = `/v1/sessions/${session.id}/resources`;
    const add = (mount_path: string, headers = {}) =>
      api().send('POST', path, { type: 'file', file_id: file, mount_path }, headers);
    const [first, second] = [
      await add('two', { 'idempotency-key': 'k1' }),
      await add('two', { 'idempotency-key': 'k1' }),
    ];
    expect(second.json).toEqual(first.json);
    expect((await add('two/three')).json.error.message).toContain('mount_path');
    expect((await add('../x')).status).toBe(400);
    const shown = (await api().send('GET', `/v1/sessions/${session.id}`)).json.resources;
    expect(shown.map((one: { mount_path: string }) => one.mount_path)).toEqual([
      '/mnt/session/uploads/one',
      '/mnt/session/uploads/two',
    ]);
    const page = (await api().send('GET', `${path}?limit=1`)).json;
    expect(page.data).toHaveLength(1);
    const rest = (await api().send('GET', `${path}?limit=1&page=${page.next_page}`)).json;
    expect(rest).toEqual({ data: [first.json], next_page: null });
    expect(
      (await api().send('POST', `${path}/${first.json.id}`, { authorization_token: 't' })).json.error.message,
    ).toContain('takes no token');
    expect((await api().send('DELETE', `${path}/${first.json.id}`)).json).toEqual({
      id: first.json.id,
      type: 'session_resource_deleted',
    });
    expect((await api().send('DELETE', `${path}/${first.json.id}`)).status).toBe(404);
    expect((await api().send('GET', `/v1/files/${first.json.file_id}`)).status).toBe(404);
    expect((await api().send('POST', path, { type: 'github_repository', url: 'x' })).status).toBe(400);
  });

  test('cannot be changed once it has ended', async () => {
    const session = (await create({})).json;
    await api().send('POST', `/v1/sessions/${session.id}/archive`);
    const reply = await api().send('POST', `/v1/sessions/${session.id}/resources`, { type: 'file', file_id: file });
    expect([reply.status, reply.json.error.message]).toEqual([400, expect.stringContaining('has ended')]);
  });

  test('that were stored by a process which died before it told the workflow are told later', async () => {
    const session = (await create({})).json;
    await api().send('POST', `/v1/sessions/${session.id}/resources`, { type: 'file', file_id: file });
    await api().database.pool.query('update sessions set inputs_rev = inputs_rev + 1 where id = $1', [session.id]);
    await api().restart();
    for (let i = 0; ; i++) {
      const { rows } = await api().database.pool.query('select inputs_rev, inputs_told from sessions where id = $1', [
        session.id,
      ]);
      if (rows[0].inputs_rev === rows[0].inputs_told) break;
      if (i > 100) throw new Error(`Still untold: ${JSON.stringify(rows[0])}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});
