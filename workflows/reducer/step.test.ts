import { describe, expect, test } from 'vitest';
import { isEventEntry, type LogEntry } from '../../events/entry.ts';
import type { EventParams } from '../../events/wire.ts';
import {
  type AgentPolicy,
  DEFAULT_SESSION_SETTINGS,
  type ExecuteResult,
  type SampleResult,
  type SessionAnswer,
  type SessionOp,
} from '../contract.ts';
import { initialState } from '../state.ts';
import type { Command } from './draft.ts';
import { type StepInput, step } from './step.ts';

const AGENT: AgentPolicy = {
  name: 'worker',
  rev: 1,
  tools: {
    bash: { kind: 'builtin', enabled: true, policy: 'always_allow' },
    read: { kind: 'builtin', enabled: true, policy: 'always_allow' },
    write: { kind: 'builtin', enabled: true, policy: 'always_ask' },
    edit: { kind: 'builtin', enabled: true, policy: 'auto' },
    grep: { kind: 'builtin', enabled: false, policy: 'always_allow' },
    deploy: { kind: 'custom', enabled: true },
  },
};
const USAGE = { input_tokens: 10, output_tokens: 5, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };

/** A session without Temporal: feeds inputs to `step`, keeps the log and the commands that are still open. */
function startSession() {
  let state = initialState(
    {
      v: 1,
      session: 'sesn_1',
      workspace: 'w',
      thread: 'sthr_1',
      agent: AGENT,
      harness: 'default@1',
      settings: DEFAULT_SESSION_SETTINGS,
      handsQueue: 'hands',
    },
    1_000,
  );
  let now = 1_000;
  let requests = 0;
  const log: LogEntry[] = [];
  let commands: Command[] = [];
  const session = {
    log,
    get state() {
      return state;
    },
    feed(input: StepInput): SessionAnswer | undefined {
      now += 10;
      const before = JSON.stringify(state);
      const result = step(state, input, DEFAULT_SESSION_SETTINGS, now);
      expect(JSON.stringify(state)).toBe(before);
      state = result.state;
      log.push(...result.entries);
      commands = result.commands;
      expect(log.map((entry) => entry.seq)).toEqual(log.map((_, index) => index));
      return result.answer;
    },
    ask(op: SessionOp, id = `request ${++requests}`) {
      return session.feed({ in: 'request', request: { id, op } });
    },
    send(...events: EventParams[]) {
      return session.ask({ op: 'events', events: events.map((event) => ({ event })) });
    },
    reply(partial: Partial<Extract<SampleResult, { ok: true }>>) {
      const result = { ok: true as const, events: [], calls: [], stop: 'end_turn' as const, usage: USAGE, ...partial };
      return session.feed({ in: 'sampled', request: state.request, result });
    },
    /** A reply that uses tools, by name. */
    use(...names: string[]) {
      const type = (name: string) =>
        name === 'deploy' ? ('agent.custom_tool_use' as const) : ('agent.tool_use' as const);
      return session.reply({
        stop: 'tool_use',
        events: names.map((name, i) => ({
          event: {
            type: type(name),
            id: `use_${state.request}_${i}`,
            name,
            input: { command: name },
            processed_at: '',
          },
        })),
        calls: names.map((name, event) => ({ event, summary: name })),
      });
    },
    finish(call: string, text = 'done') {
      const result: ExecuteResult = {
        kind: 'finished',
        content: [{ type: 'text', text }],
        isError: false,
        startedAt: '',
        finishedAt: '',
      };
      return session.feed({ in: 'executed', call, result, generation: 1 });
    },
    /** The commands of the last step. */
    get commands() {
      return commands;
    },
    types: () => log.map((entry) => (isEventEntry(entry) ? entry.event.type : `processed ${entry.of}`)),
    last: () => {
      const entry = log.at(-1);
      return entry && isEventEntry(entry) ? entry.event : undefined;
    },
    results: () =>
      log.flatMap((entry) => (isEventEntry(entry) && entry.event.type === 'agent.tool_result' ? [entry.event] : [])),
  };
  return session;
}

const message = (text: string): EventParams => ({ type: 'user.message', content: [{ type: 'text', text }] });

describe('a turn', () => {
  test('has the hosted order of events', () => {
    const session = startSession();
    session.send(message('hello'));
    expect(session.commands).toMatchObject([{ do: 'sample', request: 1 }]);
    session.use('bash');
    expect(session.commands).toMatchObject([{ do: 'execute', call: { id: 'use_1_0', name: 'bash' } }]);
    session.finish('use_1_0');
    session.reply({ events: [{ event: { type: 'agent.message', id: 'm', processed_at: '', content: [] } }] });
    expect(session.types()).toEqual([
      'user.message',
      'session.status_running',
      'session.thread_status_running',
      'processed 0',
      'span.model_request_start',
      'agent.tool_use',
      'span.model_request_end',
      'agent.tool_result',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(session.state.usage.input_tokens).toBe(20);
  });

  test('takes queued messages into the next turn, all at once', () => {
    const session = startSession();
    session.send(message('one'));
    session.send(message('two'));
    session.send(message('three'));
    session.reply({});
    expect(session.state.turn?.phase).toBe('sampling');
    expect(session.types().filter((type) => type.startsWith('processed'))).toHaveLength(3);
    expect(session.types().filter((type) => type === 'session.status_running')).toHaveLength(2);
  });

  test('runs at most 16 calls at once and the rest after them', () => {
    const session = startSession();
    session.send(message('many'));
    session.use(...Array.from({ length: 20 }, () => 'read'));
    expect(session.commands).toHaveLength(16);
    session.finish('use_1_3');
    expect(session.commands).toMatchObject([{ do: 'execute', call: { id: 'use_1_16' } }]);
  });

  test('runs shell calls in the order of the reply, and everything else beside them', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash', 'bash', 'read');
    expect(session.commands.map((command) => command.do === 'execute' && command.call.id)).toEqual([
      'use_1_0',
      'use_1_2',
    ]);
    session.finish('use_1_0');
    expect(session.commands).toMatchObject([{ do: 'execute', call: { id: 'use_1_1' } }]);
  });

  test('denies a disabled and an unknown tool without running them', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('grep', 'teleport');
    expect(session.results().map((event) => event.is_error)).toEqual([true, true]);
    const uses = session.log.flatMap((entry) =>
      isEventEntry(entry) && entry.event.type === 'agent.tool_use' ? [entry.event] : [],
    );
    expect(uses.map((event) => [event.evaluated_permission, event.evaluation])).toEqual([
      ['deny', undefined],
      ['deny', undefined],
    ]);
    expect(session.commands).toMatchObject([{ do: 'sample' }]);
  });

  test('runs no call of a reply that was cut off', () => {
    const session = startSession();
    session.send(message('go'));
    session.reply({
      stop: 'max_tokens',
      events: [{ event: { type: 'agent.tool_use', id: 'cut', name: 'bash', input: {}, processed_at: '' } }],
      calls: [{ event: 0, summary: 'bash' }],
    });
    expect(session.results()[0]?.is_error).toBe(true);
    expect(session.commands).toMatchObject([{ do: 'sample' }]);
  });

  test('ends in the open on an unknown stop reason', () => {
    const session = startSession();
    session.send(message('go'));
    session.reply({ stop: 'unknown', stopRaw: 'tired' });
    expect(session.types()).toContain('session.error');
    expect(session.last()).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
  });
});

describe('people', () => {
  test('are asked for always_ask and auto, and the turn waits', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('write', 'edit');
    expect(session.last()).toMatchObject({
      stop_reason: { type: 'requires_action', event_ids: ['use_1_0', 'use_1_1'] },
    });
    expect(session.state.status).toBe('idle');
    const refused = session.send(message('and?'));
    expect(refused).toMatchObject({ ok: false, status: 400 });
    session.send({ type: 'user.tool_confirmation', tool_use_id: 'use_1_1', result: 'deny', deny_message: 'no' });
    expect(session.last()).toMatchObject({ stop_reason: { type: 'requires_action', event_ids: ['use_1_0'] } });
    session.send({ type: 'user.tool_confirmation', tool_use_id: 'use_1_0', result: 'allow' });
    expect(session.commands).toMatchObject([{ do: 'execute', call: { id: 'use_1_0' } }]);
    expect(session.state.status).toBe('running');
  });

  test('who confirm twice change nothing the second time', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('write');
    const confirm: EventParams = { type: 'user.tool_confirmation', tool_use_id: 'use_1_0', result: 'allow' };
    session.send(confirm);
    const entries = session.log.length;
    expect(session.send(confirm)).toEqual({ ok: true, events: [] });
    expect(session.log).toHaveLength(entries);
  });

  test('may answer a custom tool while another call still runs', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash', 'deploy');
    const answer = session.send({ type: 'user.custom_tool_result', custom_tool_use_id: 'use_1_1', content: [] });
    expect(answer).toMatchObject({ ok: true, events: [{ processed_at: expect.any(String) }] });
    session.finish('use_1_0');
    expect(session.commands).toMatchObject([{ do: 'sample', request: 2 }]);
  });

  test('get the whole request refused when one event of it cannot be taken', () => {
    const session = startSession();
    const refused = session.send(message('fine'), {
      type: 'user.tool_confirmation',
      tool_use_id: 'nothing',
      result: 'allow',
    });
    expect(refused).toMatchObject({ ok: false });
    expect(session.log).toEqual([]);
  });

  test('who repeat a request get the first answer and no second message', () => {
    const session = startSession();
    const op: SessionOp = { op: 'events', events: [{ event: message('once') }] };
    const first = session.ask(op, 'same');
    const entries = session.log.length;
    expect(session.ask(op, 'same')).toEqual(first);
    expect(session.log).toHaveLength(entries);
  });
});

describe('an interrupt', () => {
  test('of a model request waits a second for its text, then gives it up', () => {
    const session = startSession();
    session.send(message('go'));
    session.send({ type: 'user.interrupt' });
    expect(session.commands).toMatchObject([
      { do: 'abortSample', request: 1 },
      { do: 'grace', ms: 1000 },
    ]);
    session.feed({ in: 'graceOver', turn: 1 });
    expect(session.last()).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'end_turn' } });
    const entries = session.log.length;
    session.reply({});
    expect(session.log).toHaveLength(entries);
  });

  test('of running calls stops them, and a message of the same request starts the next turn', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash');
    session.send({ type: 'user.interrupt' }, message('do this instead'));
    expect(session.commands).toMatchObject([
      { do: 'stopCalls', ids: ['use_1_0'] },
      { do: 'grace', ms: 5000 },
    ]);
    session.finish('use_1_0', 'interrupted');
    expect(session.types().slice(-8)).toEqual([
      'processed 7',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
      'session.status_running',
      'session.thread_status_running',
      'processed 8',
      'span.model_request_start',
    ]);
    expect(session.state.turn?.phase).toBe('sampling');
  });

  test('of a call that does not stop says that it may still be running', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash');
    session.send({ type: 'user.interrupt' });
    session.feed({ in: 'graceOver', turn: 1 });
    expect(JSON.stringify(session.results())).toContain('may still be running');
  });

  test('closes pending asks and custom calls without asking the model', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('write', 'deploy');
    session.send({ type: 'user.interrupt' });
    expect(session.types()).toContain('user.custom_tool_result');
    expect(session.state.turn).toBeNull();
    expect(session.commands.filter((command) => command.do === 'sample')).toEqual([]);
  });
});

describe('a model failure', () => {
  const fails = (session: ReturnType<typeof startSession>, kind: 'overloaded' | 'request_failed') =>
    session.feed({ in: 'sampled', request: session.state.request, result: { ok: false, class: kind, message: 'no' } });

  test('that may pass reschedules and asks again', () => {
    const session = startSession();
    session.send(message('go'));
    fails(session, 'overloaded');
    expect(session.state.status).toBe('rescheduling');
    expect(session.commands).toMatchObject([{ do: 'sleep', ms: 1000, request: 1 }]);
    session.feed({ in: 'woke', request: 1 });
    expect(session.commands).toMatchObject([{ do: 'sample', request: 2 }]);
    expect(session.state.status).toBe('running');
  });

  test('that keeps coming exhausts the turn and flushes what waits', () => {
    const session = startSession();
    session.send(message('go'));
    session.send(message('and then'));
    for (let i = 0; i < DEFAULT_SESSION_SETTINGS.retryLimit; i++) {
      fails(session, 'overloaded');
      session.feed({ in: 'woke', request: session.state.request });
    }
    expect(session.state.turn).toBeNull();
    expect(session.state.queue).toEqual([]);
    expect(session.last()).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
  });

  test('that will not pass ends the turn at once', () => {
    const session = startSession();
    session.send(message('go'));
    fails(session, 'request_failed');
    expect(session.last()).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
  });
});

describe('the hands', () => {
  test('lost: the model is told, and the next call gets a new generation', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash');
    session.feed({ in: 'provisioned', ref: { sessionId: 'sesn_1', generation: 1, id: 'x', provider: 'gvisor' } });
    session.feed({
      in: 'executed',
      call: 'use_1_0',
      result: { kind: 'lost', started: 'maybe', message: 'the sandbox was killed' },
      generation: 1,
    });
    expect(JSON.stringify(session.results())).toContain('cannot be known');
    expect(session.state.sandbox.ref).toBeUndefined();
    expect(session.state.sandbox.generation).toBe(1);
  });

  test('idle for long: the sandbox is saved and let go, unless a turn has begun', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash');
    session.feed({ in: 'provisioned', ref: { sessionId: 'sesn_1', generation: 1, id: 'x', provider: 'gvisor' } });
    session.finish('use_1_0');
    session.reply({});
    expect(session.commands).toMatchObject([{ do: 'checkpoint' }, { do: 'idleTimer', turn: 1 }]);
    session.feed({ in: 'idleElapsed', turn: 1 });
    expect(session.commands).toMatchObject([{ do: 'release', save: true }]);
    session.send(message('more'));
    session.feed({ in: 'idleElapsed', turn: 1 });
    expect(session.commands).toEqual([]);
  });
});

describe('what a sandbox holds', () => {
  const provisioned = (session: ReturnType<typeof startSession>, generation: number) =>
    session.feed({
      in: 'provisioned',
      ref: { sessionId: 'sesn_1', generation, id: `x${generation}`, provider: 'gvisor' },
    });

  test('is not taken for saved by a checkpoint that was begun before the last call', () => {
    const session = startSession();
    session.send(message('one'));
    session.use('bash');
    provisioned(session, 1);
    session.finish('use_1_0');
    session.reply({});
    const begun = session.state.sandbox.changes;
    session.send(message('two'));
    session.use('bash');
    session.finish('use_3_0');
    session.feed({ in: 'checkpointed', generation: 1, changes: begun, checkpoint: null });
    session.reply({});
    expect(session.commands).toMatchObject([{ do: 'checkpoint' }, { do: 'idleTimer' }]);
  });

  test('is saved even when the call that changed it was given up', () => {
    const session = startSession();
    session.send(message('one'));
    session.use('bash');
    provisioned(session, 1);
    session.send({ type: 'user.interrupt' });
    session.feed({ in: 'graceOver', turn: 1 });
    expect(session.commands).toMatchObject([{ do: 'checkpoint' }, { do: 'idleTimer' }]);
  });

  test('is not thrown away by a late word of an older generation', () => {
    const session = startSession();
    session.send(message('one'));
    session.use('read', 'read', 'read');
    provisioned(session, 1);
    const lost = { kind: 'lost' as const, started: 'maybe' as const, message: 'gone' };
    session.feed({ in: 'executed', call: 'use_1_0', result: lost, generation: 1 });
    provisioned(session, 2);
    session.feed({ in: 'executed', call: 'use_1_1', result: lost, generation: 1 });
    expect(session.state.sandbox.ref?.generation).toBe(2);
  });

  test('does not wait for people: the sandbox idles while a call waits for its confirmation', () => {
    const session = startSession();
    session.send(message('one'));
    session.use('bash', 'write');
    provisioned(session, 1);
    session.finish('use_1_0');
    expect(session.commands).toMatchObject([{ do: 'idleTimer' }]);
  });
});

test('remembered answers stay small enough to be carried', () => {
  const session = startSession();
  for (let i = 0; i < 60; i++) session.send(...Array.from({ length: 100 }, () => message('m')));
  const events = session.state.answered.reduce((sum, one) => sum + (one.answer.ok ? one.answer.events.length : 0), 0);
  expect(events).toBeLessThanOrEqual(2_000);
});

describe('the end', () => {
  test('is refused while the session runs, and takes no more events afterwards', () => {
    const session = startSession();
    session.send(message('go'));
    expect(session.ask({ op: 'archive' })).toMatchObject({ ok: false, status: 400 });
    session.reply({});
    expect(session.ask({ op: 'archive' })).toMatchObject({ ok: true });
    expect(session.last()?.type).toBe('session.status_terminated');
    expect(session.send(message('hello?'))).toMatchObject({ ok: false });
  });
});

test('a bug in a step ends the turn in the open and keeps the session usable', () => {
  const session = startSession();
  session.send(message('go'));
  const broken = { ok: true, events: null, calls: [], stop: 'end_turn', usage: USAGE } as unknown as SampleResult;
  session.feed({ in: 'sampled', request: 1, result: broken });
  expect(session.types()).toContain('session.error');
  expect(session.last()).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'retries_exhausted' } });
  session.send(message('again'));
  expect(session.commands).toMatchObject([{ do: 'sample' }]);
});
