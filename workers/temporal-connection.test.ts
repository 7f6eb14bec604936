import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporalTarget } from './temporal-connection.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-target-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('no server is named: the dev server is meant, whatever profiles the person has', () => {
  expect(temporalTarget({ HOME: folder, TEMPORAL_NAMESPACE: 'x', TEMPORAL_API_KEY: 'k' })).toBeUndefined();
});

test('address, namespace, API key and certificates come from the variables that all Temporal programs know', async () => {
  const files = { ca: join(folder, 'ca.pem'), crt: join(folder, 'crt.pem'), key: join(folder, 'key.pem') };
  for (const [name, path] of Object.entries(files)) await writeFile(path, name);
  expect(temporalTarget({ TEMPORAL_ADDRESS: 'h:7233' })).toEqual({ address: 'h:7233', namespace: 'default' });
  expect(temporalTarget({ TEMPORAL_ADDRESS: 'h:7233', TEMPORAL_NAMESPACE: 'n', TEMPORAL_API_KEY: 'k' })).toEqual({
    ...{ address: 'h:7233', namespace: 'n', apiKey: 'k', tls: true },
  });
  const target = temporalTarget({
    TEMPORAL_ADDRESS: 'h:7233',
    TEMPORAL_TLS_CLIENT_CERT_PATH: files.crt,
    TEMPORAL_TLS_CLIENT_KEY_PATH: files.key,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: files.ca,
    TEMPORAL_TLS_SERVER_NAME: 'temporal.internal',
  });
  expect(target?.tls).toMatchObject({ serverNameOverride: 'temporal.internal' });
  expect(JSON.stringify(target?.tls)).toBe(
    JSON.stringify({
      serverNameOverride: 'temporal.internal',
      serverRootCACertificate: new Uint8Array(Buffer.from('ca')),
      clientCertPair: { crt: new Uint8Array(Buffer.from('crt')), key: new Uint8Array(Buffer.from('key')) },
    }),
  );
});

test('a profile of Temporal’s configuration file is used when it is asked for', async () => {
  const file = join(folder, 'temporal.toml');
  await writeFile(file, '[profile.prod]\naddress = "prod:7233"\nnamespace = "agents"\napi_key = "secret"\n');
  const target = temporalTarget({ TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'prod' });
  expect(target).toMatchObject({ address: 'prod:7233', namespace: 'agents', apiKey: 'secret', tls: true });
});

test.each([
  ['a file that is not there', { TEMPORAL_ADDRESS: 'h:1', TEMPORAL_CONFIG_FILE: '/nowhere.toml' }, /\/nowhere\.toml/],
  ['a profile without an address', { TEMPORAL_PROFILE: 'p', TEMPORAL_CONFIG_FILE: 'EMPTY' }, /gives no address/],
  ['an unknown profile', { TEMPORAL_PROFILE: 'q', TEMPORAL_CONFIG_FILE: 'EMPTY' }, /q/],
  ['a member that would be ignored', { TEMPORAL_ADDRESS: 'h:1', TEMPORAL_CONFIG_FILE: 'ODD' }, /adress/],
  ['no verification', { TEMPORAL_ADDRESS: 'h:1', TEMPORAL_TLS_DISABLE_HOST_VERIFICATION: 'true' }, /always verifies/],
  ['a certificate that cannot be read', { TEMPORAL_ADDRESS: 'h:1', TEMPORAL_TLS_CLIENT_CERT_PATH: '/no/crt' }, /crt/],
])('%s is refused, never ignored', async (_what, env: Record<string, string>, message) => {
  const empty = join(folder, 'empty.toml');
  await writeFile(empty, '[profile.p]\nnamespace = "n"\n');
  const odd = join(folder, 'odd.toml');
  await writeFile(odd, '[profile.default]\nadress = "typo:1"\n');
  const file = env.TEMPORAL_CONFIG_FILE;
  const given = {
    ...env,
    ...(file === 'EMPTY' ? { TEMPORAL_CONFIG_FILE: empty } : {}),
    ...(file === 'ODD' ? { TEMPORAL_CONFIG_FILE: odd } : {}),
  };
  expect(() => temporalTarget(given)).toThrow(message);
});
