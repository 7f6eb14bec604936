/** The package as a user gets it: packed, installed into another folder, and run from there. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Rehearsal, startRehearsal } from '../../rehearsal/rehearsal.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 900_000 });

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const MEGABYTE = 1_000_000;

interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}

let folder: string;
let app: string;
let home: string;
let packed: Packed;
let rehearsal: Rehearsal;
let dev: ChildProcess | undefined;
let url: string;
let session: string;

/** The environment of a person's shell: nothing of the checkout, and nothing of the npm that runs these tests. */
function userEnv(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'));
  const ours = /^(npm_(package|lifecycle)_|npm_config_local_prefix$|LONGHAND_|MODEL_|NODE_OPTIONS$|VITEST|NODE_ENV$)/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
  return { ...env, PATH: path.join(delimiter), LONGHAND_HOME: home, ...more };
}

async function run(
  program: string,
  args: string[],
  cwd = app,
  more: Record<string, string> = {},
): Promise<{ out: string; err: string }> {
  const { stdout, stderr } = await promisify(execFile)(program, args, {
    cwd,
    env: userEnv(more),
    maxBuffer: 64 * MEGABYTE,
  });
  return { out: stdout, err: stderr };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-package-'));
  app = join(folder, 'app');
  home = join(folder, 'home');
  await mkdir(app);
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: CHECKOUT,
    maxBuffer: 64 * MEGABYTE,
  });
  packed = firstOf(JSON.parse(stdout.slice(stdout.search(/^[[{]/m))));
  await writeFile(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }));
  await run('npm', ['install', `file:${join(folder, packed.filename)}`]);
  rehearsal = await startRehearsal({
    script: {
      rehearsal: 'Package',
      pace: { first_token_ms: 0, chunk_ms: 0 },
      turns: [{ when: 'count', steps: [{ tools: [{ bash: 'echo 42' }] }, { text: 'It is {{result.text | trim}}.' }] }],
    },
  });
});
afterAll(async () => {
  if (dev?.exitCode === null) {
    dev.kill('SIGTERM');
    await once(dev, 'exit');
  }
  await rehearsal?.close();
  await rm(folder, { recursive: true, force: true });
});

/** npm 11 prints a list, npm 12 an object by package name. */
function firstOf(answer: Packed[] | Record<string, Packed>): Packed {
  const [first] = Object.values(answer);
  if (!first) throw new Error('npm pack said nothing.');
  return first;
}

async function installedFiles(): Promise<string[]> {
  const root = join(app, 'node_modules/longhand');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

test('the tarball is small, and holds what runs and nothing else', async () => {
  const paths = packed.files.map(({ path }) => path);
  console.log(
    `${packed.filename}: ${paths.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`,
  );
  expect(packed.size).toBeLessThan(MEGABYTE);
  expect(paths.sort()).toEqual((await installedFiles()).sort());
  const unwanted = paths.filter((path) =>
    /\.test\.|test-?support|testing|stand-in|histories|^dist\/(test|bench)\/|snapshot/.test(path),
  );
  expect(unwanted).toEqual([]);
  const kinds = paths.filter((path) => path.startsWith('dist/') && !/\.(js|d\.ts)$/.test(path));
  expect(kinds.sort()).toEqual([
    'dist/deploy/temporal/dynamic-config.yaml',
    'dist/examples/demo/orders.csv',
    'dist/examples/demo/rehearsal.yaml',
    ...(await readdir(join(CHECKOUT, 'store/migrations')))
      .filter((name) => name.endsWith('.sql'))
      .map((name) => `dist/store/migrations/${name}`),
    'dist/store/migrations/meta/_journal.json',
    ...(await goModules()),
  ]);
  expect(paths.filter((path) => !path.startsWith('dist/') && !path.startsWith('docs/')).sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'bin/longhand.mjs',
    'package.json',
  ]);
});

/** Of the programs that `longhand` itself can build; those that only tests need stay behind. */
async function goModules(): Promise<string[]> {
  const folders = ['runsc', 'temporal'].map((name) => join(CHECKOUT, 'tools/go', name));
  const names = await Promise.all(folders.map((folder) => readdir(folder, { withFileTypes: true })));
  return names.flat().map((entry) => join('dist', relative(CHECKOUT, join(entry.parentPath, entry.name))));
}

test('no file of it holds a secret or a path of this machine', async () => {
  const traces = [CHECKOUT, `${homedir()}/`, folder];
  const secret = /\blh-[A-Za-z0-9_-]{24,}|sk-ant-[A-Za-z0-9]|PRIVATE KEY-----\n/;
  const found: string[] = [];
  for (const path of await installedFiles()) {
    const text = await readFile(join(app, 'node_modules/longhand', path), 'utf8');
    if (secret.test(text) || traces.some((trace) => text.includes(trace))) found.push(path);
  }
  expect(found).toEqual([]);
});

test('what only builds and tests Longhand is not installed', async () => {
  const names = await readdir(join(app, 'node_modules'));
  expect(names).toContain('longhand');
  expect(
    names.filter((name) => ['typescript', 'vitest', '@biomejs', 'drizzle-kit', 'fast-check'].includes(name)),
  ).toEqual([]);
});

test('npx longhand shows its help and refuses what it does not know', async () => {
  expect((await run('npx', ['longhand', '--help'])).out).toContain('Usage: longhand <command>');
  await expect(run('npx', ['longhand', 'fly'])).rejects.toMatchObject({ code: 2 });
});

test('longhand dev runs from it, and a session with a tool call goes to idle through the SDK', async () => {
  const settings = {
    LONGHAND_PORT: '0',
    MODEL_BASE_URL: rehearsal.url,
    MODEL_API_KEY: 'rehearsal',
    MODEL_AUTH: 'x-api-key',
  };
  const child = spawn(join(app, 'node_modules/.bin/longhand'), ['dev'], { cwd: app, env: userEnv(settings) });
  dev = child;
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  await vi.waitFor(() => expect(said, said).toContain('Longhand runs.'), { timeout: 240_000, interval: 200 });
  url = /API +(http:\S+)/.exec(said)?.[1] ?? '';
  const apiKey = (await readFile(join(home, 'api-key'), 'utf8')).trim();
  const client = new Anthropic({ baseURL: url, apiKey, authToken: null });
  const agent = await client.beta.agents.create({
    name: 'helper',
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await client.beta.environments.create({ name: 'default' });
  session = (await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id })).id;
  const stream = await client.beta.sessions.events.stream(session);
  await client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: 'please count' }] }],
  });
  const seen: string[] = [];
  for await (const event of stream) {
    if (event.type === 'agent.tool_result') seen.push(JSON.stringify(event.content));
    if (event.type === 'agent.message') seen.push(JSON.stringify(event.content));
    if (event.type === 'session.status_idle') break;
  }
  expect(seen).toEqual([expect.stringContaining('42'), expect.stringContaining('It is 42.')]);
});

test('its commands find the running Longhand by the data folder alone', async () => {
  expect((await run('npx', ['longhand', 'sessions', 'list'])).out).toMatch(new RegExp(`^${session} +idle +helper v1 `));
  expect((await run('npx', ['longhand', 'sessions', 'tail', session, '--until-idle'])).out).toContain('It is 42.');
  expect((await run('npx', ['longhand', 'sessions', 'files', 'list', session, '/workspace'])).err).not.toContain(
    'Error',
  );
  expect((await run('npx', ['longhand', 'keys', 'list'])).out).toMatch(/default .* active/);
});

test('longhand/client type-checks in another project, and runs there', async () => {
  await copyFile(fileURLToPath(new URL('./consumer.ts', import.meta.url)), join(app, 'consumer.ts'));
  const types = ['--types', 'node', '--typeRoots', join(CHECKOUT, 'node_modules/@types')];
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2024', '--outDir', 'built', ...types];
  const compile = run(process.execPath, [join(CHECKOUT, 'node_modules/typescript/bin/tsc'), ...options, 'consumer.ts']);
  const { out } = await compile.catch((error: { stdout: string }) => ({ out: error.stdout }));
  // Declarations of our dependencies are not ours to judge.
  expect(out.split('\n').filter((line) => /^\S/.test(line) && !/^node_modules\/(?!longhand\/)/.test(line))).toEqual([]);
  const temporal = JSON.parse(await readFile(join(home, 'run/temporal.json'), 'utf8')) as Record<string, string>;
  const where = { TEMPORAL_ADDRESS: temporal.address ?? '', TEMPORAL_NAMESPACE: temporal.namespace ?? '' };
  const answer = await run('node', ['built/consumer.js', session], app, where);
  expect(JSON.parse(answer.out)).toEqual({
    status: 'idle',
    first: 'user.message',
    refused: true,
    names: ['string', 'string', 'function', 'number'],
  });
});

test('SIGTERM ends it with 0, and its address is forgotten with it', async () => {
  expect(dev?.exitCode, 'it runs until now').toBeNull();
  dev?.kill('SIGTERM');
  expect(await once(dev as ChildProcess, 'exit')).toEqual([0, null]);
  expect(await readdir(join(home, 'run'))).not.toContain('api.json');
});
