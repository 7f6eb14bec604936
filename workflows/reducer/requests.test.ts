/** What people send while a turn is open. */
import { describe, expect, test } from 'vitest';
import { isEventEntry } from '../../events/entry.ts';
import type { EventParams } from '../../events/wire.ts';
import type { SessionOp } from '../contract.ts';
import { message, startSession } from './testing.ts';

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

  test('who confirm twice while another call waits do not make the session idle again', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('write', 'edit');
    const deny: EventParams = { type: 'user.tool_confirmation', tool_use_id: 'use_1_0', result: 'deny' };
    session.send(deny);
    const entries = session.log.length;
    session.send(deny);
    expect(session.log).toHaveLength(entries);
  });

  test('who confirm a call while another runs do not wait for that one', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash', 'write');
    session.send({ type: 'user.tool_confirmation', tool_use_id: 'use_1_1', result: 'allow' });
    expect(session.commands).toMatchObject([{ do: 'execute', call: { id: 'use_1_1' } }]);
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

describe('a system message', () => {
  const system: EventParams = { type: 'system.message', content: [{ type: 'text', text: 'be brief' }] };
  const answer: EventParams = { type: 'user.custom_tool_result', custom_tool_use_id: 'use_1_0', content: [] };

  test('that follows a tool result is taken in with it, not with the next user message', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('deploy');
    session.send(answer, system);
    const at = session.log.findIndex((entry) => isEventEntry(entry) && entry.event.type === 'system.message');
    expect(session.types().slice(at)).toEqual([
      'system.message',
      'session.status_running',
      'session.thread_status_running',
      `processed ${at}`,
      'span.model_request_start',
    ]);
  });

  test('that follows one of two results waits for the other, so that the results stay together', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('deploy', 'bash');
    session.send(answer, system);
    expect(session.state.queue).toHaveLength(1);
    session.finish('use_1_1');
    expect(session.state.queue).toEqual([]);
    expect(session.commands).toMatchObject([{ do: 'sample', request: 2 }]);
  });

  test('while calls wait for people is refused unless it follows a result', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('deploy');
    expect(session.send(system)).toMatchObject({ ok: false, status: 400 });
    expect(session.send(answer, system)).toMatchObject({ ok: true });
  });
});
