import { describe, expect, test } from 'vitest';
import { isEventEntry } from '../../events/entry.ts';
import type { ExecuteResult, SampleResult } from '../contract.ts';
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

  test('that is paused by the provider runs the calls of the reply before it asks again', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash');
    session.finish('use_1_0');
    session.reply({
      stop: 'pause_turn',
      events: [{ event: { type: 'agent.tool_use', id: 'paused', name: 'bash', input: {}, processed_at: '' } }],
      calls: [{ event: 0, summary: 'bash' }],
    });
    expect(session.commands).toMatchObject([{ do: 'execute', call: { id: 'paused' } }]);
    session.finish('paused');
    expect(session.commands).toMatchObject([{ do: 'sample' }]);
  });

  test('ends when the model stops for tools and names none', () => {
    const session = startSession();
    session.send(message('go'));
    session.reply({ stop: 'tool_use' });
    expect(session.last()).toMatchObject({ stop_reason: { type: 'end_turn' } });
  });

  test('takes a tool name for a name, whatever it is', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('constructor', '__proto__');
    expect(session.results().map((event) => JSON.stringify(event.content))).toEqual([
      expect.stringContaining('not one of this agent'),
      expect.stringContaining('not one of this agent'),
    ]);
  });

  test('ends in the open on an unknown stop reason, and takes what waited as read', () => {
    const session = startSession();
    session.send(message('go'));
    session.send(message('and then'));
    session.reply({ stop: 'unknown', stopRaw: 'tired' });
    expect(session.types()).toContain('session.error');
    expect(session.state.queue).toEqual([]);
    expect(session.last()).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
  });
});

describe('an interrupt', () => {
  test('and a message of the same request: the message is in the next turn, also when others wait', () => {
    const session = startSession();
    session.send(message('go'));
    session.send(message('queued'));
    session.feed({ in: 'sampled', request: 1, result: { ok: false, class: 'overloaded', message: 'no' } });
    session.send({ type: 'user.interrupt' }, { type: 'user.interrupt' }, message('do this instead'));
    expect(session.state.queue).toEqual([]);
    expect(session.commands).toMatchObject([{ do: 'sample', request: 2 }]);
  });

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

test('remembered answers stay small enough to be carried', () => {
  const session = startSession();
  for (let i = 0; i < 60; i++) session.send(...Array.from({ length: 100 }, () => message('m')));
  const events = session.state.answered.reduce((sum, one) => sum + (one.answer.ok ? one.answer.events.length : 0), 0);
  expect(events).toBeLessThanOrEqual(2_000);
});

describe('the end', () => {
  test('asks for nothing more, though a sandbox that was being made arrives', () => {
    const session = startSession();
    session.ask({ op: 'sandbox' });
    session.ask({ op: 'archive' });
    session.feed({ in: 'provisioned', ref: { sessionId: 'sesn_1', generation: 1, id: 'x', provider: 'gvisor' } });
    expect(session.commands).toEqual([]);
    session.feed({ in: 'idleElapsed', turn: 0 });
    expect(session.commands).toEqual([]);
  });

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

test('a bug in a step stops what runs and closes a custom call in the client’s name', () => {
  const session = startSession();
  session.send(message('go'));
  session.use('bash', 'deploy');
  session.feed({ in: 'executed', call: 'use_1_0', result: null as unknown as ExecuteResult, generation: 1 });
  expect(session.commands).toMatchObject([{ do: 'stopCalls', ids: ['use_1_0'] }]);
  expect(session.types()).toContain('user.custom_tool_result');
  expect(session.results().map((event) => event.tool_use_id)).toEqual(['use_1_0']);
  expect(session.last()).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
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
