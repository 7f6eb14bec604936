import { describe, expect, test } from 'vitest';
import { isEventEntry } from '../../events/entry.ts';
import type { EventParams } from '../../events/wire.ts';
import { DEFAULT_SESSION_SETTINGS, type SampleResult, type SessionOp } from '../contract.ts';
import { message, startSession, USAGE } from './testing.ts';

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
