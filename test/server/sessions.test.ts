/**
 * Sessions in the layout of docker-compose.temporal.yml: real servers, and each part a process with its own settings.
 * `npm run test:server` runs all end-to-end tests there; with every change it is this much of them.
 */
import { randomBytes } from 'node:crypto';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SessionEvent } from '../../events/wire.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.ts';

const API_KEY = `lh-${randomBytes(24).toString('base64url')}`;

let stack: Stack;
let api: WorkerProcess;
let client: Anthropic;
beforeAll(async () => {
  stack = await startStack({
    temporal: 'server',
    hands: true,
    script: {
      rehearsal: 'Real servers',
      turns: [
        {
          when: 'work',
          steps: [{ repeat: 3, tools: [{ bash: 'echo {{round}} >> lines; wc -l < lines' }] }, { text: 'Done.' }],
        },
        {
          when: 'slow command',
          steps: [{ tools: [{ bash: 'sleep 5; echo line >> once; wc -l < once' }] }, { text: 'Done.' }],
        },
      ],
    },
  });
  api = await startWorkerProcess('api', { ...stack.env.api, LONGHAND_API_KEY: API_KEY });
  const url = api.lines.map((line) => /listens on (http:\S+)/.exec(line)?.[1]).find(Boolean);
  client = new Anthropic({ baseURL: url ?? 'http://nothing.invalid', apiKey: API_KEY });
}, 900_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 120_000);

async function newSession(): Promise<string> {
  const agent = await client.beta.agents.create({
    name: 'worker',
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_allow' } } }],
  });
  const environment = await client.beta.environments.create({ name: `env ${randomBytes(4).toString('hex')}` });
  return (await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id })).id;
}

async function say(session: string, text: string): Promise<void> {
  await client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text }] }],
  });
}

/** The log once the turn has ended. */
async function untilIdle(session: string): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  await expect
    .poll(
      async () => {
        events.length = 0;
        for await (const event of client.beta.sessions.events.list(session, { limit: 100 })) {
          events.push(event as SessionEvent);
        }
        return [events.at(-1)?.type, events.some(({ type }) => type === 'agent.message')];
      },
      { timeout: 100_000, interval: 200 },
    )
    .toEqual(['session.status_idle', true]);
  return events;
}

const results = (events: SessionEvent[]) =>
  events.flatMap((event) => (event.type === 'agent.tool_result' ? [JSON.stringify(event.content)] : []));

test('a program with the official SDK has work done in a sandbox', async () => {
  const session = await newSession();
  await say(session, 'work');
  const counts = results(await untilIdle(session)).map((text) => /"text":"(\d+)"/.exec(text)?.[1]);
  expect(counts).toEqual(['1', '2', '3']);
}, 120_000);

test('a session is found in Temporal by the search attributes that setup made', async () => {
  const session = await newSession();
  await say(session, 'hello');
  await untilIdle(session);
  const query = `LonghandStatus = 'idle' and WorkflowId = 'session/${session}'`;
  await expect.poll(async () => (await stack.temporalClient.workflow.count(query)).count, { timeout: 60_000 }).toBe(1);
}, 120_000);

describe('SIGKILL of the Temporal server', () => {
  test('in the middle of a command: the session goes on, and the command ran once', async () => {
    const session = await newSession();
    await say(session, 'slow command');
    await expect
      .poll(async () => (await stack.temporalClient.workflow.count(`LonghandStatus = 'running'`)).count)
      .toBeGreaterThan(0);
    await stack.temporal.kill();
    await stack.temporal.start();
    expect(results(await untilIdle(session))[0]).toContain('"text":"1"');
  }, 180_000);
});
