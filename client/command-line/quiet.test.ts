import type { BetaManagedAgentsStreamSessionEvents as StreamEvent } from '@anthropic-ai/sdk/resources/beta/sessions';
import { expect, test } from 'vitest';
import { createQuiet, exitCodeOf } from './quiet.ts';

const event = (type: string, more: object = {}) => ({ type, id: type, processed_at: 'now', ...more }) as StreamEvent;
const idle = (reason = 'end_turn') => event('session.status_idle', { stop_reason: { type: reason } });
const message = (id: string, processed_at: string | null) => event('user.message', { id, processed_at });
const running = event('session.status_running');

/** Positions at which the session counts as quiet. */
function quietAt(events: StreamEvent[], awaited: string[], atIdle: boolean): number[] {
  const quiet = createQuiet(awaited, atIdle);
  return events.flatMap((one, index) => (quiet.after(one) ? [index] : []));
}

test('the idle between two turns is not the end while a message waits', () => {
  const log = [
    message('a', null),
    running,
    message('a', 'now'),
    message('b', null),
    idle(),
    running,
    message('b', 'now'),
    idle(),
  ];
  expect(quietAt(log, ['a'], true)).toEqual([7]);
  expect(quietAt(log, [], true)).toEqual([7]);
});

test('an idle that was there before what was sent does not count', () => {
  expect(quietAt([idle(), event('user.tool_confirmation', { id: 'c' }), running, idle()], ['c'], true)).toEqual([3]);
});

test('a session that is idle at the end of its history counts at once, whatever came last', () => {
  expect(quietAt([message('a', null), running, message('a', 'now'), idle()], ['session.status_idle'], false)).toEqual([
    3,
  ]);
  const interrupted = [
    idle(),
    event('user.interrupt', { id: 'i', processed_at: null }),
    event('user.interrupt', { id: 'i' }),
  ];
  expect(quietAt(interrupted, ['i'], false)).toEqual([2]);
  expect(quietAt([idle(), message('late', null)], ['late'], false)).toEqual([]);
});

test('how the turn ended is the exit code', () => {
  const codes = ['end_turn', 'requires_action', 'retries_exhausted', 'refusal'].map((reason) => {
    const quiet = createQuiet([], true);
    quiet.after(idle(reason));
    return exitCodeOf(quiet.reason);
  });
  expect(codes).toEqual([0, 4, 1, 1]);
});
