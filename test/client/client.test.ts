/** The client of other services against a whole Longhand: nothing but a Temporal connection on its side. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ConnectedLonghand,
  connectLonghand,
  createLonghand,
  SessionClosedError,
  SessionRefusedError,
} from '../../client/index.ts';
import type { CreateParams, EventParams, SessionEvent } from '../../events/wire.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let api: TestApi;
let longhand: ConnectedLonghand;
let params: Pick<CreateParams, 'agent' | 'environment_id'>;
beforeAll(async () => {
  stack = await startStack({
    script: {
      rehearsal: 'For other services',
      cut_at_max_tokens: false,
      turns: [
        {
          when: 'deploy it',
          steps: [{ tools: [{ name: 'deploy', input: { to: 'production' } }] }, { text: 'Deployed.' }],
        },
        {
          when: 'write it',
          steps: [{ tools: [{ write: { file_path: '/workspace/a', content: 'b' } }] }, { text: 'Well.' }],
        },
        { when: 'long story', steps: [{ pace: { chunk_ms: 100, chunk_chars: 4 }, text: 'word '.repeat(400) }] },
        { when: 'large', steps: [{ text: 'x'.repeat(1_300_000) }] },
      ],
      fallback: { text: 'Plain answer.' },
    },
  });
  api = await startTestApi(stack);
  const agent = await api.client.beta.agents.create({
    name: 'worker',
    model: 'claude-opus-4-8',
    tools: [
      { type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } },
      { type: 'custom', name: 'deploy', description: 'Deploys.', input_schema: { type: 'object' } },
    ],
  });
  const environment = await api.client.beta.environments.create({ name: 'e' });
  params = { agent: agent.id, environment_id: environment.id };
  // A connection of its own, with nothing of Longhand's but the address.
  longhand = await connectLonghand({ temporal: { overrideEnvVars: { TEMPORAL_ADDRESS: stack.temporal.address } } });
}, 300_000);
afterAll(async () => {
  await longhand?.close();
  await api?.stop();
  await stack?.stop();
}, 60_000);

const message = (text: string): Extract<EventParams, { type: 'user.message' }> => ({
  type: 'user.message',
  content: [{ type: 'text', text }],
});

async function until(id: string, matches: (event: SessionEvent) => boolean, from = 0): Promise<SessionEvent> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    const found = (await longhand.getEvents(id, { from })).find(({ event }) => matches(event));
    if (found) return found.event;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Not seen; the log has ${(await longhand.getEvents(id)).map(({ event }) => event.type).join(', ')}`);
}

async function refusal(work: Promise<unknown>): Promise<SessionRefusedError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SessionRefusedError);
  return error as SessionRefusedError;
}

describe('startSession', () => {
  test('makes a session that is the same over HTTP and over Temporal', async () => {
    const { id } = await longhand.startSession({ ...params, title: 'One', initial_events: [message('hello')] });
    await until(id, (event) => event.type === 'session.status_idle');
    const shown = await longhand.getSession(id);
    const overHttp = await api.client.beta.sessions.retrieve(id);
    expect({ ...shown, stats: null, usage: null }).toEqual({
      ...JSON.parse(JSON.stringify(overHttp)),
      stats: null,
      usage: null,
    });
    expect(shown.title).toBe('One');
    const listed: string[] = [];
    for await (const event of api.client.beta.sessions.events.list(id)) listed.push(event.id);
    const slices = await longhand.getEvents(id);
    expect(slices.flatMap(({ event, of }) => (of === undefined ? [event.id] : []))).toEqual(listed);
  });

  test('called again with the same key makes no second session, also when both come at once', async () => {
    const key = 'job 17';
    const both = await Promise.all([1, 2].map(() => longhand.startSession(params, { idempotencyKey: key })));
    const later = await longhand.startSession(params, { idempotencyKey: key });
    expect(new Set([...both, later].map(({ id }) => id)).size).toBe(1);
    const other = await api.client.beta.environments.create({ name: 'another' });
    const refused = await refusal(
      longhand.startSession({ ...params, environment_id: other.id }, { idempotencyKey: key }),
    );
    expect(refused).toMatchObject({ status: 409, field: 'idempotency_key' });
  });

  test('refuses what the HTTP API refuses, with the same words and the field', async () => {
    const wrong: [object, string, number][] = [
      [{ ...params, agent: 'agent_nobody' }, 'agent', 404],
      [{ ...params, environment_id: 'env_none' }, 'environment_id', 404],
      [{ ...params, titel: 'x' }, 'titel', 400],
      [{ ...params, initial_events: [{ type: 'user.message', content: [] }] }, 'initial_events.0.content', 400],
      [{ ...params, vault_ids: ['vault_1'] }, 'vault_ids', 400],
      [{ environment_id: params.environment_id }, 'agent', 400],
    ];
    for (const [body, field, status] of wrong) {
      const refused = await refusal(longhand.startSession(body as CreateParams));
      expect(refused).toMatchObject({ field, status });
      const overHttp = await api.client.beta.sessions.create(body as CreateParams).catch((error: unknown) => error);
      expect(String((overHttp as Error).message)).toContain(JSON.stringify(refused.message).slice(1, -1));
    }
    const sized = await refusal(longhand.startSession({ ...params, initial_events: [message('x'.repeat(2_000_000))] }));
    expect(sized).toMatchObject({ status: 413 });
  });

  test('finds nothing in a workspace that is not its own', async () => {
    const other = createLonghand(stack.temporalClient, { workspace: 'wrkspc_other' });
    expect(await refusal(other.startSession(params))).toMatchObject({ status: 404, field: 'agent' });
  });
});

describe('emitEvent', () => {
  test('is in the log that the same client reads at once', async () => {
    const { id } = await longhand.startSession(params);
    for (const text of ['one', 'two', 'three']) {
      const [accepted] = await longhand.emitEvent(id, message(text));
      const [first] = await longhand.getEvents(id, { from: accepted?.seq, to: accepted?.seq });
      expect(first).toMatchObject({ seq: accepted?.seq, event: { id: accepted?.id, content: [{ text }] } });
    }
  });

  test('posted twice under one request id is posted once', async () => {
    const { id } = await longhand.startSession(params);
    const twice = [1, 2].map(() => longhand.emitEvent(id, message('once'), { requestId: 'r1' }));
    const [a, b] = await Promise.all(twice);
    expect(a).toEqual(b);
    const said = (await longhand.getEvents(id)).filter(
      ({ event, of }) => event.type === 'user.message' && of === undefined,
    );
    expect(said).toHaveLength(1);
  });

  test('without waiting for an answer arrives all the same', async () => {
    const { id } = await longhand.startSession(params);
    expect(await longhand.emitEvent(id, message('by signal'), { wait: 'none' })).toEqual([]);
    await until(id, (event) => event.type === 'agent.message');
    const image = { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } } as const;
    const refused = await refusal(longhand.emitEvent(id, { type: 'user.message', content: [image] }, { wait: 'none' }));
    expect(refused.field).toBe('events');
  });

  test('takes large texts and pictures, and gives them back whole', async () => {
    const { id } = await longhand.startSession(params);
    const data = Buffer.alloc(600_000, 7).toString('base64');
    const source = { type: 'base64', media_type: 'image/png', data } as const;
    const text = '大'.repeat(30_000);
    const content = [{ type: 'text', text } as const, { type: 'image', source } as const];
    const [accepted] = await longhand.emitEvent(id, { type: 'user.message', content });
    const [slice] = await longhand.getEvents(id, { from: accepted?.seq, to: accepted?.seq });
    expect(slice?.event).toMatchObject({ content });
  });

  test('refuses what the session cannot take, with the field', async () => {
    const { id } = await longhand.startSession(params);
    const wrong: [object, string][] = [
      [{ type: 'user.message', content: [{ type: 'text', text: '' }] }, 'events.0.content.0.text'],
      [{ type: 'user.shout' }, 'events.0.type'],
      [
        { type: 'user.tool_confirmation', tool_use_id: 'sevt_1', result: 'allow', deny_message: 'no' },
        'events.0.deny_message',
      ],
      [{ type: 'user.tool_confirmation', tool_use_id: 'sevt_1', result: 'allow' }, 'tool_use_id'],
      [{ type: 'user.interrupt', more: 1 }, 'events.0.more'],
    ];
    for (const [event, field] of wrong) {
      expect(await refusal(longhand.emitEvent(id, event as EventParams)), field).toMatchObject({ status: 400, field });
    }
    expect(await longhand.getEvents(id)).toEqual([]);
    await expect(longhand.emitEvent('sesn_none', message('hello'))).rejects.toBeInstanceOf(SessionClosedError);
  });
});

describe('getEvents', () => {
  test('reads slices by position, and answers larger than Temporal carries', async () => {
    const { id } = await longhand.startSession({ ...params, initial_events: [message('something large')] });
    await expect.poll(async () => (await longhand.getSession(id)).status, { timeout: 25_000 }).toBe('idle');
    const all = await longhand.getEvents(id);
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index));
    expect(await longhand.getEvents(id, { from: 2, to: 4 })).toEqual(all.slice(2, 5));
    expect(await longhand.getEvents(id, { from: all.length })).toEqual([]);
    const said = all.find(({ event }) => event.type === 'agent.message')?.event;
    const [block] = said?.type === 'agent.message' ? said.content : [];
    // Compared as a whole it would be printed as a whole.
    expect(block?.type === 'text' && block.text === 'x'.repeat(1_300_000)).toBe(true);
    // The message was taken into a turn: it stands there twice, the second time with its stamp.
    expect(all.find(({ of }) => of === 0)?.event).toMatchObject({ type: 'user.message', id: all[0]?.event.id });
    expect(JSON.stringify(all)).not.toContain('"private"');
  });

  test('knows neither other threads nor other sessions', async () => {
    const { id } = await longhand.startSession(params);
    expect(await refusal(longhand.getEvents(id, { thread: 'sthr_none' }))).toMatchObject({
      status: 404,
      field: 'thread',
    });
    expect(await refusal(longhand.getEvents('sesn_none'))).toMatchObject({ status: 404 });
    expect(await refusal(longhand.getSession('sesn_none'))).toMatchObject({ status: 404 });
  });
});

describe('people', () => {
  test('approve and deny let a waiting call go on; twice is harmless', async () => {
    for (const result of ['allow', 'deny'] as const) {
      const { id } = await longhand.startSession({ ...params, initial_events: [message('write it')] });
      const idle = await until(id, (event) => event.type === 'session.status_idle');
      const [use] =
        idle.type === 'session.status_idle' && idle.stop_reason.type === 'requires_action'
          ? idle.stop_reason.event_ids
          : [];
      if (!use) throw new Error('nothing is waiting');
      if (result === 'allow') {
        await longhand.approve(id, use);
        await longhand.approve(id, use);
        const confirmed = await until(id, (event) => event.type === 'user.tool_confirmation');
        expect(confirmed).toMatchObject({ result: 'allow', tool_use_id: use });
        await longhand.interrupt(id);
      } else {
        await longhand.approve(id, use, { result: 'deny', message: 'Not on a Friday.' });
        const told = await until(id, (event) => event.type === 'agent.tool_result');
        expect(JSON.stringify(told)).toContain('Not on a Friday.');
      }
    }
  });

  test('interrupt ends a turn', async () => {
    const { id } = await longhand.startSession({ ...params, initial_events: [message('a long story')] });
    await until(id, (event) => event.type === 'span.model_request_start');
    await longhand.interrupt(id);
    const idle = await until(id, (event) => event.type === 'session.status_idle');
    expect(idle).toMatchObject({ stop_reason: { type: 'end_turn' } });
  });
});

test('without a brain says so in time, and the same call works once there is one', async () => {
  const hasty = createLonghand(stack.temporalClient, { timeoutMs: 2_000 });
  await stack.brain.kill();
  const key = { idempotencyKey: 'made without a brain' };
  await expect(hasty.startSession(params, key)).rejects.toMatchObject({
    name: 'BrainAwayError',
    message: expect.stringContaining('longhand brain'),
  });
  await stack.brain.start();
  const { id } = await longhand.startSession(params, key);
  expect((await longhand.getSession(id)).status).toBe('idle');
}, 60_000);
