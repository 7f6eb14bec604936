/** The routes over the real thing: Temporal, the session workflow, the brain, PostgreSQL. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../test/support/api.ts';
import { type Stack, startStack } from '../test/support/stack.ts';
import { freePort } from '../workers/free-port.ts';
import { message } from './testing.ts';

let stack: Stack;
let api: TestApi;
let agent = '';
let environment = '';
beforeAll(async () => {
  const turns = [
    { when: 'slowly', steps: [{ pace: { first_token_ms: 1500 }, text: 'Slow.' }] },
    { when: 'ask me', steps: [{ tools: [{ look_up: { q: 1 } }] }, { text: 'Thanks.' }] },
  ];
  stack = await startStack({ script: { rehearsal: 'Routes', turns, fallback: { text: 'Done.' } } });
  api = await startTestApi(stack);
  const tools = [
    { type: 'custom' as const, name: 'look_up', description: 'd', input_schema: { type: 'object' as const } },
  ];
  agent = (await api.client.beta.agents.create({ name: 'a', model: 'claude-opus-5-5', tools })).id;
  environment = (await api.client.beta.environments.create({ name: 'e' })).id;
}, 300_000);
afterAll(async () => {
  await api?.stop();
  await stack?.stop();
}, 60_000);

const sessions = (client = api.client) => client.beta.sessions;
const make = (more: object = {}) => sessions().create({ agent, environment_id: environment, ...more });
const say = (id: string, text: string, client = api.client) =>
  sessions(client).events.send(id, { events: [message(text) as never] });
const idle = (id: string) =>
  expect.poll(async () => (await sessions().retrieve(id)).status, { timeout: 15_000 }).toBe('idle');
const types = async (id: string) => {
  const all: string[] = [];
  for await (const event of sessions().events.list(id)) all.push(event.type);
  return all;
};

test('a program that only polls is never told "idle" before its message has been worked on', async () => {
  const { id } = await make();
  for (const text of ['one', 'two', 'three']) {
    await say(id, text);
    await idle(id);
    const last = (await types(id)).at(-1);
    expect(last).toBe('session.status_idle');
  }
  expect((await types(id)).filter((type) => type === 'agent.message')).toHaveLength(3);
}, 30_000);

test('first events are worked on without another call', async () => {
  const { id, status } = await make({ initial_events: [message('hello')] });
  expect(status).toBe('running');
  expect((await types(id))[0]).toBe('user.message');
  await idle(id);
  expect(await types(id)).toContain('agent.message');
}, 30_000);

test('an update reaches the row, the log and the next reading', async () => {
  const { id } = await make({ title: 'old' });
  const changed = await sessions().update(id, {
    title: 'new',
    metadata: { a: '1' },
    agent: { tools: [{ type: 'agent_toolset_20260401' }] },
  });
  expect(changed).toMatchObject({
    title: 'new',
    metadata: { a: '1' },
    agent: { tools: [{ type: 'agent_toolset_20260401' }] },
  });
  const [event] = (await sessions().events.list(id, { types: ['session.updated'] })).data;
  expect(event).toMatchObject({
    title: 'new',
    metadata: { a: '1' },
    agent: { tools: [{ type: 'agent_toolset_20260401' }] },
  });
  expect(await sessions().update(id, { metadata: { a: null } })).toMatchObject({ metadata: {} });
});

test('what the workflow refuses is refused with its words, and a client’s tool is answered', async () => {
  const { id } = await make();
  await say(id, 'ask me');
  await idle(id);
  await expect(say(id, 'hello?')).rejects.toThrow(/400.*requires_action/);
  const [use] = (await sessions().events.list(id, { types: ['agent.custom_tool_use'] })).data;
  const result = {
    type: 'user.custom_tool_result' as const,
    custom_tool_use_id: use?.id ?? '',
    content: [{ type: 'text' as const, text: '42' }],
  };
  const sent = await sessions().events.send(id, { events: [result] });
  expect(sent.data?.[0]).toMatchObject({ ...result, processed_at: expect.any(String) });
  await idle(id);
  await expect(sessions().events.send(id, { events: [result] })).rejects.toThrow(/400.*custom_tool_use_id/);
}, 30_000);

test('a running session is not archived; an idle one is at once', async () => {
  const { id } = await make({ initial_events: [message('answer slowly')] });
  await expect(sessions().archive(id)).rejects.toThrow(/400/);
  await expect(sessions().delete(id)).rejects.toThrow(/400/);
  await idle(id);
  expect(await sessions().archive(id)).toMatchObject({ status: 'terminated', archived_at: expect.any(String) });
  await expect(say(id, 'x')).rejects.toThrow(/400/);
  expect(await types(id)).toContain('session.status_terminated');
}, 30_000);

test('a deleted session leaves its stream, its history and nothing that comes late', async () => {
  const { id } = await make({ initial_events: [message('x'.repeat(30_000))] });
  await idle(id);
  const stream = await sessions().events.stream(id);
  expect(await sessions().delete(id)).toEqual({ id, type: 'session_deleted' });
  const seen: string[] = [];
  for await (const event of stream) seen.push(event.type);
  expect(seen.at(-1)).toBe('session.deleted');
  await expect(sessions().retrieve(id)).rejects.toThrow(/404/);
  expect(await stack.sessions.isOpen(id)).toBe(false);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { rows } = await stack.database.pool.query('select seq from log_entries where session_id = $1', [id]);
  expect(rows).toEqual([]);
}, 30_000);

describe('the api is killed between accept and answer, under an unmodified SDK', () => {
  let child: ChildProcess | undefined;
  afterAll(() => child?.kill('SIGKILL'));

  async function start(port: number, pausing: boolean): Promise<{ url: string; paused: Promise<void> }> {
    const entry = fileURLToPath(new URL('./testing-process.ts', import.meta.url));
    const env = {
      PATH: process.env.PATH,
      DATABASE_URL: stack.databaseUrl,
      TEMPORAL_ADDRESS: stack.temporal.address,
      BLOBS: join(stack.home, 'blobs'),
      PORT: String(port),
      ...(pausing ? { PAUSE_AFTER_POST: '1' } : {}),
    };
    child = spawn(process.execPath, [entry], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const paused = new Promise<void>((resolve) => lines.on('line', (line) => line === 'paused' && resolve()));
    const url = await new Promise<string>((resolve) =>
      lines.on('line', (line) => line.startsWith('http') && resolve(line)),
    );
    return { url, paused };
  }

  /** In front of two processes: connections go to the first, and once that is dead to the second. */
  async function balancer(first: string, second: string): Promise<{ url: string; close(): void }> {
    const server = createServer((socket) => {
      const { exitCode, signalCode } = child as ChildProcess;
      const up = connect(Number(new URL(exitCode === null && signalCode === null ? first : second).port), '127.0.0.1');
      for (const side of [socket, up])
        side.on('error', () => undefined).on('close', () => [socket, up].map((s) => s.destroy()));
      socket.pipe(up).pipe(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
  }

  test('one message, when the retry reaches another process', async () => {
    const { id } = await make();
    const { url, paused } = await start(0, true);
    const front = await balancer(url, api.url);
    const work = say(id, 'once', new Anthropic({ baseURL: front.url, apiKey: api.key, maxRetries: 8 }));
    await paused;
    child?.kill('SIGKILL');
    const sent = await work;
    front.close();
    await idle(id);
    const messages = (await sessions().events.list(id, { types: ['user.message'] })).data;
    expect(messages.map((event) => event.id)).toEqual([sent.data?.[0]?.id]);
  }, 60_000);

  async function killed<T>(act: (client: Anthropic) => Promise<T>): Promise<T> {
    const port = await freePort();
    const { url, paused } = await start(port, true);
    const work = act(new Anthropic({ baseURL: url, apiKey: api.key, maxRetries: 8 }));
    await paused;
    const exited = once(child as ChildProcess, 'exit');
    child?.kill('SIGKILL');
    await exited;
    await start(port, false);
    const result = await work;
    child?.kill('SIGKILL');
    return result;
  }

  test('one message', async () => {
    const { id } = await make();
    const sent = await killed((client) => say(id, 'once', client));
    await idle(id);
    const messages = (await sessions().events.list(id, { types: ['user.message'] })).data;
    expect(messages.map((event) => event.id)).toEqual([sent.data?.[0]?.id]);
  }, 60_000);

  test('one session', async () => {
    const mark = { mark: 'killed' };
    const made = await killed((client) =>
      sessions(client).create({ agent, environment_id: environment, metadata: mark }),
    );
    const { rows } = await stack.database.pool.query(
      `select id, phase from sessions where metadata->>'mark' = 'killed'`,
    );
    expect(rows).toEqual([{ id: made.id, phase: 'live' }]);
  }, 60_000);
});
