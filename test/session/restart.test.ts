/** `longhand dev` stopped in good order and started again: sessions go on, and no file of theirs is lost. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Rehearsal, startRehearsal } from '../../rehearsal/rehearsal.ts';
import { type Dev, startDev } from '../../workers/dev.ts';
import { readSettings } from '../../workers/settings.ts';

let home: string;
let rehearsal: Rehearsal;
let dev: Dev | undefined;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhand-restart-'));
  rehearsal = await startRehearsal({
    firstTokenMs: 0,
    script: {
      rehearsal: 'A restart in the middle',
      turns: [
        {
          when: 'begin',
          steps: [
            { tools: [{ bash: 'echo made before the stop > kept' }] },
            { tools: [{ bash: 'sleep 120' }] },
            { when: 'restored', tools: [{ bash: 'cat kept' }] },
            { text: 'Done.' },
          ],
        },
      ],
    },
  });
});
afterAll(async () => {
  await dev?.stop();
  await rehearsal?.close();
  await rm(home, { recursive: true, force: true });
}, 60_000);

async function start(): Promise<Anthropic> {
  const settings = readSettings({
    LONGHAND_HOME: home,
    LONGHAND_PORT: '0',
    MODEL_BASE_URL: rehearsal.url,
    MODEL_API_KEY: 'rehearsal',
  });
  dev = await startDev({ settings, env: process.env, onLine: () => undefined });
  return new Anthropic({ baseURL: dev.apiUrl, apiKey: dev.apiKey });
}

async function events(client: Anthropic, session: string) {
  const all = [];
  for await (const event of client.beta.sessions.events.list(session)) all.push(event);
  return all;
}

async function until(what: string, holds: () => Promise<boolean>, ms: number): Promise<void> {
  for (const deadline = Date.now() + ms; !(await holds()); ) {
    if (Date.now() > deadline) throw new Error(`Not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

test('a turn that was stopped in the middle of a command goes on by itself, with its files', async () => {
  let client = await start();
  const agent = await client.beta.agents.create({
    name: 'worker',
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await client.beta.environments.create({ name: 'e' });
  const session = await client.beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
    initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'begin' }] }],
  });
  const uses = async () => (await events(client, session.id)).filter((event) => event.type === 'agent.tool_use').length;
  await until('the long command begins', async () => (await uses()) === 2, 60_000);
  await new Promise((resolve) => setTimeout(resolve, 2_000));

  const began = Date.now();
  await dev?.stop();
  expect(Date.now() - began).toBeLessThan(25_000);
  client = await start();

  await until('the turn ends', async () => (await client.beta.sessions.retrieve(session.id)).status === 'idle', 90_000);
  const results = (await events(client, session.id)).filter((event) => event.type === 'agent.tool_result');
  expect(JSON.stringify(results[1])).toContain('restored as of');
  expect(JSON.stringify(results[2])).toContain('made before the stop');
}, 240_000);
