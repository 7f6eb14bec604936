/** The compose file cannot be started where these run (no Docker); everything that can be known without is asked here. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { assertOnlyOwnSecrets } from '../workers/own-settings.ts';
import { findProgram } from '../workers/programs/find-program.ts';
import { TEMPORAL_SERVER } from '../workers/programs/program.ts';
import { type ProcessName, readSettings, SETTINGS, type SettingName } from '../workers/settings.ts';
import { temporalTarget } from '../workers/temporal-connection.ts';
import { DYNAMIC_CONFIG_FILE, dynamicConfig } from '../workers/temporal-dynamic-config.ts';
import {
  COMPOSE_FILE,
  type ComposeModel,
  type ComposeService,
  environmentOf,
  ROOT,
  readCompose,
} from './support/compose.ts';
import { roleStatements } from './support/temporal-server.ts';

const KEY = `lh-${'k'.repeat(40)}`;
const ENV_FILE = {
  ...{ POSTGRES_PASSWORD: 'a', TEMPORAL_DB_PASSWORD: 'b', LONGHAND_DB_PASSWORD: 'c' },
  ...{ LONGHAND_API_KEY: KEY, MODEL_API_KEY: 'm' },
};
const PARTS: ProcessName[] = ['api', 'brain', 'hands'];

let compose: ComposeModel;
beforeAll(async () => {
  compose = await readCompose();
}, 300_000);

function service(name: string): ComposeService {
  const found = compose.services[name];
  if (!found) throw new Error(`The compose file has no service "${name}".`);
  return found;
}

test('the checker refuses what the Compose Specification does not know', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'longhand-compose-'));
  const wrong = join(folder, 'compose.yml');
  await writeFile(wrong, readFileSync(COMPOSE_FILE, 'utf8').replaceAll('service_healthy', 'service_helthy'));
  await expect(readCompose(wrong)).rejects.toThrow(/condition value must be one of/);
  await rm(folder, { recursive: true });
});

test('every port is published on 127.0.0.1 only', () => {
  const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
  expect(published.map(({ target }) => target).sort()).toEqual([7233, 8080, 8787]);
  for (const port of published) expect(port.host_ip).toBe('127.0.0.1');
});

test('each part has only settings that it reads, starts with them, and has no secret of another', () => {
  for (const name of PARTS) {
    const env = environmentOf(service(name), ENV_FILE);
    for (const variable of Object.keys(env)) {
      expect(SETTINGS[variable as SettingName]?.readBy, `${name}: ${variable}`).toContain(name);
    }
    expect(() => assertOnlyOwnSecrets(name, env)).not.toThrow();
    expect(temporalTarget(env)).toMatchObject({ address: 'temporal:7233', namespace: 'longhand' });
    expect(readSettings(env).BLOB_URL).toBe('file:///srv/longhand/blobs');
  }
  expect(Object.keys(service('hands').environment ?? {}).filter((name) => /DATABASE|MODEL|API_KEY/.test(name))).toEqual(
    [],
  );
  expect(service('hands').networks).not.toHaveProperty('data');
});

test('a key or password that nobody filled in ends the start, and deploy/compose.env asks for each', () => {
  const asked = [...readFileSync(join(ROOT, 'deploy/compose.env'), 'utf8').matchAll(/^(\w+)=$/gm)].map(
    ([, name]) => name,
  );
  for (const name of Object.keys(ENV_FILE)) {
    expect(asked).toContain(name);
    const without = { ...ENV_FILE, [name]: '' };
    const start = () => Object.values(compose.services).map((each) => environmentOf(each, without));
    expect(start, name).toThrow(`Set ${name} in .env`);
  }
});

test('the set-up has every server’s place and no part’s secret, and everything waits for it', () => {
  const env = environmentOf(service('setup'), ENV_FILE);
  expect(Object.keys(env).sort()).toEqual(['BLOB_URL', 'DATABASE_URL', 'TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE']);
  expect(env.DATABASE_URL).toBe('postgres://longhand_app:c@postgres/longhand_app');
  for (const name of PARTS) {
    expect(service(name).depends_on?.setup?.condition).toBe('service_completed_successfully');
  }
  expect(service('temporal').depends_on?.['temporal-schema']?.condition).toBe('service_completed_successfully');
  for (const [name, { depends_on = {} }] of Object.entries(compose.services)) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      expect(compose.services, `${name} waits for ${other}`).toHaveProperty(other);
      if (condition === 'service_healthy') expect(service(other).healthcheck, other).toBeDefined();
    }
  }
});

test('the server, its schema tool and the tested server are of one version', () => {
  expect(service('temporal').image).toBe(`temporalio/server:${TEMPORAL_SERVER.version}`);
  expect(service('temporal-schema').image).toBe(`temporalio/admin-tools:${TEMPORAL_SERVER.version}`);
  expect(readFileSync(join(ROOT, 'tools/go/temporal-server/go.mod'), 'utf8')).toContain(
    `go.temporal.io/server v${TEMPORAL_SERVER.version}`,
  );
  for (const { image } of Object.values(compose.services)) expect(image).toMatch(/:(local|\d[\w.-]+)$/);
});

test('every file that is mounted is there, and the dynamic configuration is the one of the dev server', () => {
  const mounts = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes);
  for (const { source, type, read_only } of mounts) {
    if (type !== 'bind') expect(compose.volumes).toHaveProperty(source);
    else expect([existsSync(join(ROOT, source)), read_only]).toEqual([true, true]);
  }
  const { environment, volumes } = service('temporal');
  const file = volumes?.find(({ target }) => target === environment?.DYNAMIC_CONFIG_FILE_PATH);
  expect(join(ROOT, file?.source ?? '')).toBe(DYNAMIC_CONFIG_FILE);
});

test('the server knows every key of the dynamic configuration, with its type', async () => {
  expect(Object.keys(dynamicConfig())).toContain('history.transferProcessorMaxPollRPS');
  const server = await findProgram(TEMPORAL_SERVER, { onProgress: console.log });
  const { stdout } = await promisify(execFile)(server, ['validate-dynamic-config', DYNAMIC_CONFIG_FILE]);
  expect(stdout).not.toMatch(/error|warning/);
}, 900_000);

test('only the hands have privileges, each by name, and none is everything', () => {
  for (const [name, { privileged, cap_add = [], security_opt = [] }] of Object.entries(compose.services)) {
    expect(privileged ?? false, name).toBe(false);
    if (name === 'hands') continue;
    expect(cap_add, name).toEqual([]);
    expect(security_opt.join(), name).not.toContain('unconfined');
  }
  for (const name of ['setup', 'api', 'brain']) {
    expect(service(name)).toMatchObject({ cap_drop: ['ALL'], read_only: true });
  }
  expect(service('hands').cap_drop).toEqual(['ALL']);
  expect(compose.networks.data?.internal && compose.networks.temporal?.internal).toBe(true);
});

test('the roles are for their own databases, and their passwords are those of the parts', async () => {
  const statements = await roleStatements(ENV_FILE);
  expect(statements).toContain("create role temporal login password 'b'");
  expect(statements).toContain("create role longhand_app login password 'c'");
  expect(statements.at(-1)).toMatch(/^revoke connect.* from public$/);
});

test('the image gets every room that runs, and no test, secret or history', () => {
  const allowed = [...readFileSync(join(ROOT, '.dockerignore'), 'utf8').matchAll(/^!(\S+)$/gm)].map(([, name]) => name);
  const rooms = readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    // What is made and not kept: `npm pack` makes dist/, here too.
    .filter((name) => name !== 'node_modules' && name !== 'dist');
  const left = rooms.filter((name) => !allowed.includes(name)).sort();
  expect(left).toEqual(['bench', 'docs', 'examples', 'k8s', 'test']);
  for (const name of allowed) expect(existsSync(join(ROOT, name ?? '')), name).toBe(true);
});
