/** The examples of other services, each as its readers would run it, against a whole Longhand. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WorkflowFailedError } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  AWAIT_SESSION,
  type AwaitSession,
  type ConnectedLonghand,
  connectLonghand,
  LONGHAND_QUEUE,
  RUN_SESSION,
  type RunSession,
} from '../../client/index.ts';
import type { SessionEvent } from '../../events/wire.ts';
import { startTestApi, type TestApi } from '../../test/support/api.ts';
import { type Stack, startStack } from '../../test/support/stack.ts';
import { createInvoiceWorker, INVOICE_QUEUE } from './invoice-worker.ts';
import type { checkInvoice, Invoice } from './invoice-workflow.ts';
import { scheduleReport } from './report-schedule.ts';
import { createTicketHandler } from './web-handler.ts';

let stack: Stack;
let api: TestApi;
let longhand: ConnectedLonghand;
let agent: string;
let environment: string;
beforeAll(async () => {
  stack = await startStack({
    script: {
      rehearsal: 'Other services',
      turns: [
        { when: 'slow invoice', steps: [{ pace: { first_token_ms: 4_000 }, text: 'pay' }] },
        { when: 'endless invoice', steps: [{ pace: { chunk_ms: 200, chunk_chars: 4 }, text: 'word '.repeat(400) }] },
        { when: 'Check this invoice', steps: [{ text: 'pay' }] },
        { when: 'report', steps: [{ text: 'All is well.' }] },
        { when: 'refund', steps: [{ tools: [{ bash: 'refund 42' }] }, { text: 'I did not refund it.' }] },
      ],
      fallback: { text: 'Plain answer.' },
    },
  });
  api = await startTestApi(stack);
  const made = await api.client.beta.agents.create({
    name: 'clerk',
    model: 'claude-opus-4-8',
    tools: [{ type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } }],
  });
  agent = made.id;
  environment = (await api.client.beta.environments.create({ name: 'office' })).id;
  longhand = await connectLonghand({ temporal: { overrideEnvVars: { TEMPORAL_ADDRESS: stack.temporal.address } } });
}, 300_000);
afterAll(async () => {
  await longhand?.close();
  await api?.stop();
  await stack?.stop();
}, 60_000);

async function eventsOf(id: string): Promise<SessionEvent[]> {
  return (await longhand.getEvents(id)).map(({ event }) => event);
}

describe('a cron job', () => {
  test('starts one session a day, however often it is run', async () => {
    const env = {
      ...{ PATH: process.env.PATH ?? '', AGENT_ID: agent, ENVIRONMENT_ID: environment },
      TEMPORAL_ADDRESS: stack.temporal.address,
    };
    const program = fileURLToPath(new URL('./nightly-report.ts', import.meta.url));
    const run = async () =>
      (await promisify(execFile)(process.execPath, [program], { env, timeout: 60_000 })).stdout.trim();
    const id = await run();
    expect(await run()).toBe(id);
    await expect.poll(async () => (await longhand.getSession(id)).status, { timeout: 20_000 }).toBe('idle');
    expect((await longhand.getSession(id)).title).toMatch(/^Report of \d{4}-\d\d-\d\d$/);
    expect((await eventsOf(id)).filter((event) => event.type === 'agent.message')).toHaveLength(1);
  }, 90_000);

  test('as a Temporal Schedule has the report as its result', async () => {
    const handle = await scheduleReport(stack.temporalClient, { agent, environment });
    await scheduleReport(stack.temporalClient, { agent, environment });
    await handle.trigger();
    const started = async () => (await handle.describe()).info.recentActions[0]?.action.workflow;
    await expect.poll(started, { timeout: 20_000 }).toBeDefined();
    const result = await stack.temporalClient.workflow
      .getHandle<RunSession>((await started())?.workflowId ?? '')
      .result();
    expect(result).toMatchObject({ status: 'idle', stop_reason: { type: 'end_turn' }, text: 'All is well.' });
    await handle.delete();
  }, 60_000);
});

test('a web handler opens a ticket once, shows what is asked, and takes the answer', async () => {
  const handle = createTicketHandler(longhand, { agent, environment });
  const call = (method: string, path: string, body?: object) =>
    handle(new Request(`http://desk.example${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) }));
  const opened = await Promise.all([1, 2].map(() => call('POST', '/tickets/42', { text: 'I want a refund.' })));
  const [one, two] = (await Promise.all(opened.map((answer) => answer.json()))) as { session: string }[];
  expect(opened[0]?.status).toBe(202);
  expect(one?.session).toBe(two?.session);
  const path = `/tickets/42/${one?.session}`;
  const show = async () =>
    (await (await call('GET', path)).json()) as { status: string; asks: { id: string }[]; answer: string | null };
  await expect.poll(async () => (await show()).asks, { timeout: 20_000 }).toMatchObject([{ name: 'bash' }]);
  const [ask] = (await show()).asks;
  expect((await call('POST', path, { call: ask?.id, allow: false })).status).toBe(204);
  await expect.poll(async () => (await show()).answer, { timeout: 20_000 }).toBe('I did not refund it.');
  const refused = await call('POST', path, { call: 'sevt_other', allow: true });
  expect(refused.status).toBe(400);
  expect(await refused.json()).toMatchObject({ field: 'tool_use_id' });
  expect((await call('GET', '/tickets/42/sesn_none')).status).toBe(404);
}, 60_000);

describe('a workflow of another service', () => {
  const booked: [string, string][] = [];
  let connection: NativeConnection;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    connection = await NativeConnection.connect({ address: stack.temporal.address });
    const worker = await createInvoiceWorker(connection, 'default', {
      book: async (invoice, verdict) => void booked.push([invoice.number, verdict]),
    });
    const running = worker.run();
    stop = async () => {
      worker.shutdown();
      await running;
      await connection.close();
    };
  }, 120_000);
  afterAll(() => stop?.());

  const start = (invoice: Invoice) =>
    stack.temporalClient.workflow.start<typeof checkInvoice>('checkInvoice', {
      workflowId: `invoice/${invoice.number}`,
      taskQueue: INVOICE_QUEUE,
      args: [invoice, agent, environment],
    });
  const sessionOf = async (number: string) => {
    for await (const session of api.client.beta.sessions.list())
      if (session.metadata.invoice === number) return session;
    return undefined;
  };

  test('starts a session as its child and gets what the agent said', async () => {
    const handle = await start({ number: 'A1', text: '12 chairs, 480 EUR' });
    expect(await handle.result()).toBe('pay');
    expect(booked).toContainEqual(['A1', 'pay']);
    expect((await sessionOf('A1'))?.status).toBe('idle');
  }, 60_000);

  test('gets it also when the brain is killed while it waits, from one session', async () => {
    const handle = await start({ number: 'A2', text: 'a slow invoice' });
    await expect.poll(async () => (await sessionOf('A2'))?.status, { timeout: 20_000 }).toBe('running');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await stack.brain.kill();
    await stack.brain.start();
    expect(await handle.result()).toBe('pay');
    const sessions: string[] = [];
    for await (const session of api.client.beta.sessions.list()) {
      if (session.metadata.invoice === 'A2') sessions.push(session.id);
    }
    expect(sessions).toHaveLength(1);
  }, 120_000);

  test('interrupts the session when it is cancelled', async () => {
    const handle = await start({ number: 'A4', text: 'an endless invoice' });
    await expect.poll(async () => (await sessionOf('A4'))?.status, { timeout: 20_000 }).toBe('running');
    await handle.cancel();
    await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError);
    await expect.poll(async () => (await sessionOf('A4'))?.status, { timeout: 20_000 }).toBe('idle');
    const events = await eventsOf((await sessionOf('A4'))?.id ?? '');
    expect(events.some((event) => event.type === 'user.interrupt')).toBe(true);
  }, 60_000);

  test('is told which field was wrong', async () => {
    const handle = await stack.temporalClient.workflow.start<typeof checkInvoice>('checkInvoice', {
      workflowId: 'invoice/A5',
      taskQueue: INVOICE_QUEUE,
      args: [{ number: 'A5', text: 'x' }, 'agent_nobody', environment],
    });
    const error = await handle.result().catch((thrown: unknown) => thrown);
    let words = '';
    for (let cause = error; cause instanceof Error; cause = cause.cause) words += `${cause.message}\n`;
    expect(words).toContain('agent: Agent agent_nobody was not found');
  }, 60_000);
});

describe('a wait for a session', () => {
  const run = (id: string, input: Parameters<RunSession>[0]) =>
    stack.temporalClient.workflow.start<RunSession>(RUN_SESSION, {
      workflowId: id,
      taskQueue: LONGHAND_QUEUE,
      args: [input],
    });
  const session = (text: string) => ({
    agent,
    environment_id: environment,
    initial_events: [{ type: 'user.message' as const, content: [{ type: 'text' as const, text }] }],
  });

  test('returns for a person when it is told to, and goes on from there', async () => {
    const handle = await run('refund/1', { session: session('a refund'), requires_action: 'return' });
    const asked = await handle.result();
    expect(asked).toMatchObject({ status: 'idle', stop_reason: { type: 'requires_action' }, text: null });
    const rest = await stack.temporalClient.workflow.start<AwaitSession>(AWAIT_SESSION, {
      workflowId: 'refund/1/rest',
      taskQueue: LONGHAND_QUEUE,
      args: [{ session_id: asked.session_id, after: asked.seq }],
    });
    const use = asked.stop_reason?.type === 'requires_action' ? asked.stop_reason.event_ids[0] : undefined;
    await longhand.approve(asked.session_id, use ?? '', { result: 'deny' });
    expect(await rest.result()).toMatchObject({ stop_reason: { type: 'end_turn' }, text: 'I did not refund it.' });
  }, 60_000);

  test('is handed over at once when the brain stops in good order', async () => {
    const handle = await run('refund/handed', { session: session('a refund'), idempotency_key: 'handed' });
    const { id } = await longhand.startSession(session('a refund'), { idempotencyKey: 'handed' });
    await expect.poll(async () => (await longhand.getSession(id)).status, { timeout: 20_000 }).toBe('idle');
    await stack.brain.stop();
    try {
      // Not only after its heartbeat timed out.
      const { raw } = await handle.describe();
      expect(raw.pendingActivities?.[0]?.lastFailure?.message).toContain('another one goes on waiting');
    } finally {
      await stack.brain.start();
    }
    await longhand.interrupt(id);
    expect(await handle.result()).toMatchObject({ session_id: id, stop_reason: { type: 'end_turn' } });
  }, 90_000);

  test('ends when the session is archived or deleted', async () => {
    for (const [end, status] of [
      ['archive', 'terminated'],
      ['delete', 'deleted'],
    ] as const) {
      const handle = await run(`refund/${end}`, { session: session('a refund') });
      const found = async () => {
        for await (const one of api.client.beta.sessions.list()) {
          if (one.status === 'idle' && (await eventsOf(one.id)).at(-1)?.type === 'session.status_idle') {
            const last = (await eventsOf(one.id)).at(-1);
            if (last?.type === 'session.status_idle' && last.stop_reason.type === 'requires_action') return one.id;
          }
        }
        return undefined;
      };
      await expect.poll(found, { timeout: 20_000 }).toBeDefined();
      const id = (await found()) ?? '';
      await api.client.beta.sessions[end](id);
      const result = await handle.result();
      expect(result.session_id).toBe(id);
      // A deleted session terminates first: either is an end.
      expect(end === 'delete' ? ['terminated', 'deleted'] : [status]).toContain(result.status);
    }
  }, 60_000);

  test('refuses a session that has nothing to end', async () => {
    const { initial_events: _none, ...bare } = session('x');
    const handle = await run('nothing', { session: { ...bare, initial_events: [] } });
    const error = await handle.result().catch((thrown: unknown) => thrown);
    expect(String((error as WorkflowFailedError).cause?.cause)).toContain('initial_events:');
  }, 60_000);
});
