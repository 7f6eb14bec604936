/** `longhand dev` as a person starts it: until it is ready, what it takes while nothing happens, and a sandbox of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Anthropic from '@anthropic-ai/sdk';
import { startRehearsal } from '../rehearsal/rehearsal.ts';
import { releaseSandboxes } from '../test/support/stack.ts';
import { type Figure, figure, single, sleep } from './figures.ts';
import { cpuMs, partPids, pssMiB, sandboxPids } from './processes.ts';

const LONGHAND = fileURLToPath(new URL('../bin/longhand.mjs', import.meta.url));
/** Until what the start left behind (compiled code, freed memory) has settled. */
const SETTLE_MS = 15_000;
/** Until a sandbox without calls has given back what only calls need (sandbox/server/tool-process.ts). */
const REST_MS = 40_000;
const SANDBOXES = 3;
const STARTS = 3;

interface Started {
  child: ChildProcess;
  url: string;
  readyMs: number;
  /** Processor time of all processes until then, ms. */
  cpuMs: number;
}

export async function idle(): Promise<Figure[]> {
  const home = await mkdtemp(join(tmpdir(), 'longhand-idle-'));
  const model = await startRehearsal({
    script: { rehearsal: 'Idle', turns: [{ steps: [{ tools: [{ bash: 'true' }] }, { text: 'Done.' }] }] },
  });
  const apiKey = `lh-${randomBytes(24).toString('base64url')}`;
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
    LONGHAND_HOME: home,
    LONGHAND_PORT: '0',
    LONGHAND_API_KEY: apiKey,
    MODEL_BASE_URL: model.url,
    MODEL_API_KEY: 'rehearsal',
  };
  let running = await start(env);
  const first = running.readyMs;
  const again: Started[] = [];
  try {
    for (let i = 0; i < STARTS; i++) {
      await stop(running);
      running = await start(env);
      again.push(running);
    }
    await sleep(SETTLE_MS);
    const pid = running.child.pid ?? 0;
    const parts = Object.entries(partsOf(pid)).map(([part, pids]) => ({ part, mib: pssMiB(pids) }));
    const all = pssMiB([pid]);
    const cpu = cpuMs([pid]);
    await sleep(10_000);
    const idleCpu = (cpuMs([pid]) - cpu) / 10;
    const client = new Anthropic({ baseURL: running.url, apiKey });
    for (let i = 0; i < SANDBOXES; i++) await oneCall(client);
    await sleep(5_000);
    const sandboxes = sandboxPids(home);
    const soon = pssMiB(sandboxes) / SANDBOXES;
    await sleep(REST_MS);
    const each = pssMiB(sandboxes) / SANDBOXES;
    const sandboxCpu = cpuMs(sandboxes);
    await sleep(5_000);
    return [
      figure(
        '`longhand dev` until it is ready, everything cached',
        again.map(({ readyMs }) => readyMs),
        [{ of: 'p50', atMost: 6_000 }],
      ),
      figure(
        'processor time of `longhand dev` until it is ready',
        again.map((one) => one.cpuMs),
      ),
      single('`longhand dev` until it is ready, a new data folder', first, 'ms'),
      single('memory (PSS) of `longhand dev` at idle, all processes', all, 'MiB', [{ atMost: 700 }]),
      ...parts.map(({ part, mib }) => single(`memory (PSS) at idle, ${part}`, mib, 'MiB')),
      single('processor time of `longhand dev` at idle', idleCpu, 'ms/s'),
      single(`memory (PSS) of a sandbox at rest, one of ${SANDBOXES}`, each, 'MiB', [{ atMost: 130 }]),
      single('the same, a few seconds after its last call', soon, 'MiB'),
      single('processor time of an idle sandbox', (cpuMs(sandboxes) - sandboxCpu) / 5 / SANDBOXES, 'ms/s'),
    ];
  } finally {
    await stop(running);
    await releaseSandboxes(home);
    await model.close();
    await rm(home, { recursive: true, force: true });
  }
}

/** The parent is the api. */
function partsOf(pid: number): Record<string, number[]> {
  const { api: _none, ...children } = partPids(pid);
  return children;
}

async function start(env: Record<string, string>): Promise<Started> {
  const began = performance.now();
  const child = spawn(process.execPath, [LONGHAND, 'dev'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code) => reject(new Error(`longhand dev ended with exit code ${code}.`)));
  });
  ended.catch(() => undefined);
  const ready = new Promise<string>((resolve) => {
    createInterface(child.stdout).on('line', (line) => {
      const url = /^\s*API\s+(http\S+)/.exec(line)?.[1];
      if (url) resolve(url);
    });
  });
  const url = await Promise.race([ready, ended]);
  const readyMs = performance.now() - began;
  return { child, url, readyMs, cpuMs: cpuMs([child.pid ?? 0]) };
}

async function stop({ child }: Started): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
}

async function oneCall(client: Anthropic): Promise<void> {
  const agent = await client.beta.agents.create({
    name: 'idle',
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await client.beta.environments.create({ name: `idle ${randomBytes(4).toString('hex')}` });
  const { id } = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  const stream = await client.beta.sessions.events.stream(id);
  await client.beta.sessions.events.send(id, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: 'go' }] }],
  });
  for await (const event of stream) if (event.type === 'session.status_idle') break;
}
