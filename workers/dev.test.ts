import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { childPid } from './orphans.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 900_000 });

const BIN = fileURLToPath(new URL('../bin/longhand.mjs', import.meta.url));
const UP_MS = { timeout: 90_000, interval: 100 };

let home: string;
let run: string;
let dev: Started;
/** Where a program that follows ANTHROPIC_BASE_URL would call. */
const calls: string[] = [];
const trap = createServer((request, response) => {
  calls.push(request.url ?? '');
  response.end();
});

interface Started {
  child: ChildProcess;
  out: () => string;
  exit: Promise<[number | null, NodeJS.Signals | null]>;
}

function start(env: Record<string, string> = {}): Started {
  const address = trap.address();
  const self = `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`;
  const child = spawn(process.execPath, [BIN, 'dev'], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LONGHAND_HOME: home,
      LONGHAND_PORT: '0',
      MODEL_API_KEY: 'model-secret',
      ANTHROPIC_BASE_URL: self,
      ANTHROPIC_API_KEY: 'anthropic-secret',
      ANTHROPIC_AUTH_TOKEN: 'anthropic-secret',
      ANTHROPIC_CUSTOM_HEADERS: 'x-secret: anthropic-secret',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const exit = once(child, 'exit') as Started['exit'];
  return { child, out: () => text, exit };
}

async function up(started: Started): Promise<void> {
  await vi.waitFor(() => {
    if (started.child.exitCode !== null) return;
    expect(started.out()).toContain('Longhand runs.');
  }, UP_MS);
  expect(started.out()).toContain('Longhand runs.');
}

function apiUrl(): string {
  return /API +(http:\S+)/.exec(dev.out())?.[1] ?? '';
}

async function health(): Promise<{ status: number; parts: Record<string, { ok: boolean; reason?: string }> }> {
  const answer = await fetch(`${apiUrl()}/healthz`);
  const body = (await answer.json()) as { parts: Record<string, { ok: boolean; reason?: string }> };
  return { status: answer.status, parts: body.parts };
}

async function healthy(): Promise<void> {
  await vi.waitFor(async () => expect(await health()).toMatchObject({ status: 200 }), UP_MS);
}

async function pids(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const name of ['temporal', 'brain', 'hands']) found[name] = (await childPid(run, name)) ?? 0;
  found.postgres = Number.parseInt(await readFile(join(home, 'postgres/postmaster.pid'), 'utf8').catch(() => '0'), 10);
  return found;
}

function alive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function modelsWith(key: string): Promise<number> {
  const headers = { 'x-api-key': key, 'anthropic-version': '2023-06-01' };
  return (await fetch(`${apiUrl()}/v1/models`, { headers })).status;
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhand-dev-'));
  run = join(home, 'run');
  trap.listen(0, '127.0.0.1');
  await once(trap, 'listening');
  dev = start();
  await up(dev);
});

afterAll(async () => {
  dev?.child.kill('SIGTERM');
  await dev?.exit;
  trap.close();
  await rm(home, { recursive: true, force: true });
});

test('everything comes up, healthz says so, and the key that was made is private and not printed to a log', async () => {
  await healthy();
  expect(Object.keys((await health()).parts).sort()).toEqual(['brain', 'database', 'hands', 'sandbox', 'temporal']);
  const key = (await readFile(join(home, 'api-key'), 'utf8')).trim();
  expect(await modelsWith(key)).toBe(200);
  expect(await modelsWith('lh-wrong')).toBe(401);
  expect((await stat(join(home, 'api-key'))).mode & 0o777).toBe(0o600);
  expect(dev.out()).not.toContain(key);
  expect(dev.out()).toMatch(/Temporal UI +http:\/\/127\.0\.0\.1:\d+/);
});

test('the brain has the model key and the database, the hands have neither, nobody has an ANTHROPIC_* variable', async () => {
  const { brain, hands, temporal } = await pids();
  const environ = async (pid?: number) => (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
  const [ofBrain, ofHands, ofTemporal] = await Promise.all([brain, hands, temporal].map(environ));
  expect(ofBrain).toContain('MODEL_API_KEY=model-secret');
  expect(ofBrain?.some((entry) => entry.startsWith('DATABASE_URL='))).toBe(true);
  for (const env of [ofHands, ofTemporal]) {
    expect(env?.filter((entry) => /^(MODEL_|DATABASE_|LONGHAND_API_KEY)/.test(entry))).toEqual([]);
  }
  for (const env of [ofBrain, ofHands, ofTemporal]) {
    expect(env?.filter((entry) => entry.includes('anthropic-secret'))).toEqual([]);
  }
  expect(calls).toEqual([]);
});

test('a second start on the same folder, and one on a used port, are one clear line and exit code 2', async () => {
  const second = start();
  expect(await second.exit).toEqual([2, null]);
  expect(second.out()).toMatch(
    /^longhand dev: The data folder \S+ is in use by another Longhand \(process \d+\)\. .*\n$/,
  );
  const other = start({ LONGHAND_HOME: join(home, 'other'), LONGHAND_PORT: new URL(apiUrl()).port });
  expect(await other.exit).toEqual([2, null]);
  expect(other.out()).toMatch(/^longhand dev: Port \d+ of 127\.0\.0\.1 is in use\. .*\n$/);
});

test.each(['brain', 'hands', 'temporal', 'postgres'])(
  'after SIGKILL of %s it is started again and all is well',
  async (name) => {
    const before = (await pids())[name] ?? 0;
    process.kill(before, 'SIGKILL');
    await vi.waitFor(async () => expect((await pids())[name]).not.toBeOneOf([before, 0, Number.NaN]), UP_MS);
    await healthy();
  },
);

test('while the brain is stopped healthz is 503 with the reason', async () => {
  const { brain } = await pids();
  process.kill(brain ?? 0, 'SIGKILL');
  await vi.waitFor(async () => expect((await health()).status).toBe(503), { timeout: 10_000, interval: 20 });
  await healthy();
});

test('after SIGKILL of the parent the next start ends its orphans and goes on with the same key', async () => {
  const key = (await readFile(join(home, 'api-key'), 'utf8')).trim();
  const before = Object.values(await pids());
  dev.child.kill('SIGKILL');
  await dev.exit;
  dev = start();
  await up(dev);
  await healthy();
  expect(before.filter(alive)).toEqual([]);
  expect(await modelsWith(key)).toBe(200);
});

test('SIGTERM ends with 0 and leaves no process', async () => {
  const before = Object.values(await pids());
  expect(before.filter(alive)).toHaveLength(4);
  dev.child.kill('SIGTERM');
  expect(await dev.exit).toEqual([0, null]);
  expect(before.filter(alive)).toEqual([]);
  expect((await readdir(run)).filter((name) => name.endsWith('.pid'))).toEqual([]);
});
