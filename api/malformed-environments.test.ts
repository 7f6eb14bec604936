/** Environments that are wrong. */
import { beforeAll, test } from 'vitest';
import { useApi } from './testing.ts';
import { type Case, makeOwned, refuse } from './testing-malformed.ts';

const api = useApi();
const ids: Record<string, string> = {};

beforeAll(async () => {
  Object.assign(ids, await makeOwned(api()));
}, 60_000);
const limited = (...allowed_hosts: string[]) => ({
  name: 'e',
  config: { type: 'cloud', networking: { type: 'limited', allowed_hosts } },
});

const cases: Case[] = [
  ['no name', '/v1/environments', {}, 'name: Field required'],
  ['an unknown kind', '/v1/environments', { name: 'e', config: { type: 'local' } }, 'config.type: '],
  [
    'a host with a scheme',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', networking: { type: 'limited', allowed_hosts: ['https://a.com'] } } },
    'config.networking.allowed_hosts.0: ',
  ],
  [
    'packages without the way to them',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', networking: { type: 'limited' }, packages: { pip: ['x'] } } },
    'config.networking.allow_package_managers: ',
  ],
  [
    'an unknown package manager',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', packages: { brew: [] } } },
    'config.packages.brew: ',
  ],
  [
    'networking of a self-hosted one',
    '/v1/environments',
    { name: 'e', config: { type: 'self_hosted', networking: {} } },
    'config.networking: ',
  ],
  ['the account scope', '/v1/environments', { name: 'e', scope: 'account' }, 'scope: '],
  ['a name that is too long', '/v1/environments', { name: 'n'.repeat(257) }, 'name: '],
  ['a name with U+0000', '/v1/environments', { name: '\0' }, 'name: U+0000'],
  ['a config that is a string', '/v1/environments', { name: 'e', config: 'cloud' }, 'config: '],
  ['a config without kind', '/v1/environments', { name: 'e', config: {} }, 'config.type: '],
  [
    'unknown networking',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', networking: { type: 'open' } } },
    'config.networking.type: ',
  ],
  [
    'hosts of open networking',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', networking: { type: 'unrestricted', allowed_hosts: [] } } },
    'config.networking.allowed_hosts: Extra inputs',
  ],
  ['a host with a port', '/v1/environments', limited('a.com:443'), 'config.networking.allowed_hosts.0: '],
  ['a host with a path', '/v1/environments', limited('a.com/x'), 'config.networking.allowed_hosts.0: '],
  ['a wildcard in the middle', '/v1/environments', limited('a.*.com'), 'config.networking.allowed_hosts.0: '],
  ['the second host is wrong', '/v1/environments', limited('a.com', ''), 'config.networking.allowed_hosts.1: '],
  [
    'a package that is a number',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', packages: { pip: [1] } } },
    'config.packages.pip.0: Expected string',
  ],
  [
    '501 packages',
    '/v1/environments',
    { name: 'e', config: { type: 'cloud', packages: { npm: Array.from({ length: 501 }, () => 'x') } } },
    'config.packages.npm: ',
  ],
  ['another kind of environment', '/v1/environments/ENV', { config: { type: 'self_hosted' } }, 'config.type: '],
  ['an update that clears the name', '/v1/environments/ENV', { name: '' }, 'name: '],
  ['an update of an archived environment', '/v1/environments/OLD', { name: 'x' }, /is archived/],
];

test.each(cases)('%s', async (...one) => {
  await refuse(api(), one, ids);
});
