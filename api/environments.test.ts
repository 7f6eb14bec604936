import { describe, expect, test } from 'vitest';
import { makeSession, OTHER_KEY, useApi } from './testing.ts';

const api = useApi({ temporal: true });
const environments = () => api().client().beta.environments;
const noPackages = { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] };

test('an environment without config is a cloud one with open network', async () => {
  const environment = await environments().create({ name: 'e', description: '' });
  expect(environment).toEqual({
    id: expect.stringMatching(/^env_/),
    type: 'environment',
    name: 'e',
    description: '',
    config: { type: 'cloud', networking: { type: 'unrestricted' }, packages: noPackages },
    metadata: {},
    scope: 'organization',
    created_at: expect.any(String),
    updated_at: environment.created_at,
    archived_at: null,
  });
  expect(await environments().retrieve(environment.id)).toEqual(environment);
});

test('names need not be unique', async () => {
  const [a, b] = [await environments().create({ name: 'same' }), await environments().create({ name: 'same' })];
  expect(a.id).not.toBe(b.id);
});

describe('an update keeps what it leaves out, at every level', () => {
  const limited = { type: 'limited' as const, allowed_hosts: ['*.example.com'], allow_package_managers: true };
  test.each([
    [
      'one list of packages',
      { config: { type: 'cloud', packages: { npm: ['left-pad'] } } },
      { config: { networking: limited, packages: { pip: ['x==1'], npm: ['left-pad'] } } },
    ],
    [
      'one flag of the network',
      { config: { type: 'cloud', networking: { type: 'limited', allow_mcp_servers: true } } },
      { config: { networking: { ...limited, allow_mcp_servers: true }, packages: { pip: ['x==1'] } } },
    ],
    ['a null description', { description: null }, { description: null, name: 'e' }],
    ['an empty description', { description: '' }, { description: '' }],
    [
      'metadata: null and the empty string delete',
      { metadata: { a: null, b: '', c: 'new' } },
      { metadata: { c: 'new' } },
    ],
  ])('%s', async (_name, change, shown) => {
    const environment = await environments().create({
      name: 'e',
      description: 'd',
      metadata: { a: '1', b: '2' },
      config: { type: 'cloud', networking: limited, packages: { pip: ['x==1'] } },
    });
    expect(await environments().update(environment.id, change as object)).toMatchObject(shown);
  });

  test('the kind cannot change', async () => {
    const { id } = await environments().create({ name: 'e', config: { type: 'self_hosted' } });
    const reply = await api().send('POST', `/v1/environments/${id}`, { config: { type: 'cloud' } });
    expect([reply.status, reply.json.error.details]).toEqual([400, { error_code: 'invalid_config_type_change' }]);
  });
});

test('an archived environment is hidden, takes no update and no new session', async () => {
  const { id } = await environments().create({ name: 'old' });
  expect((await environments().archive(id)).archived_at).toEqual(expect.any(String));
  const listed = await environments().list({ limit: 100 });
  expect(listed.data.map((one) => one.id)).not.toContain(id);
  const reply = await api().send('POST', `/v1/environments/${id}`, { name: 'x' });
  expect([reply.status, reply.json.error.details]).toEqual([400, { error_code: 'environment_archived' }]);
  await expect(makeSession(api(), { environment_id: id })).rejects.toThrow(/environment_id: .*archived/);
});

test('an environment is deleted only when no session refers to it', async () => {
  const { id } = await environments().create({ name: 'used' });
  const session = await makeSession(api(), { environment_id: id });
  const refused = await api().send('DELETE', `/v1/environments/${id}`);
  expect([refused.status, refused.json.error.message]).toEqual([400, expect.stringContaining(session)]);
  await api().client().beta.sessions.delete(session);
  expect(await environments().delete(id)).toEqual({ id, type: 'environment_deleted' });
  expect((await api().send('GET', `/v1/environments/${id}`)).status).toBe(404);
});

test.each([
  ['packages', { type: 'cloud', packages: { pip: ['numpy'] } }, 'packages.pip'],
  [
    'allowed hosts',
    { type: 'cloud', networking: { type: 'limited', allowed_hosts: ['example.com'] } },
    'networking.allowed_hosts',
  ],
  [
    'MCP hosts',
    { type: 'cloud', networking: { type: 'limited', allow_mcp_servers: true } },
    'networking.allow_mcp_servers',
  ],
  ['a self-hosted sandbox', { type: 'self_hosted' }, 'self_hosted'],
])('what is not enforced yet is stored, and refused when a session wants it: %s', async (_name, config, field) => {
  const { id } = await environments().create({ name: 'e', config: config as { type: 'self_hosted' } });
  await expect(makeSession(api(), { environment_id: id })).rejects.toThrow(new RegExp(`environment_id: .*${field}`));
});

test('limited networking that allows nothing is what sandboxes have anyway', async () => {
  const { id } = await environments().create({ name: 'e', config: { type: 'cloud', networking: { type: 'limited' } } });
  await expect(makeSession(api(), { environment_id: id })).resolves.toMatch(/^sesn_/);
});

test('another workspace’s environments are not there', async () => {
  const { id } = await environments().create({ name: 'mine' });
  const other = { authorization: `Bearer ${OTHER_KEY}` };
  expect((await api().send('GET', `/v1/environments/${id}`, undefined, other)).status).toBe(404);
  expect((await api().send('DELETE', `/v1/environments/${id}`, undefined, other)).status).toBe(404);
  expect((await api().send('GET', '/v1/environments', undefined, other)).json.data).toEqual([]);
});
