/** Model requests that fail: asked again, summarised, or given up in the open. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_SESSION_SETTINGS } from '../contract.ts';
import { message, startSession } from './testing.ts';

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

describe('a context that is too long', () => {
  const sampled = (session: ReturnType<typeof startSession>, kind: 'too_long' | 'overloaded') =>
    session.feed({ in: 'sampled', request: session.state.request, result: { ok: false, class: kind, message: 'no' } });
  const compacted = (session: ReturnType<typeof startSession>) =>
    session.reply({
      stop: 'compacted',
      events: [
        { event: { type: 'agent.thread_context_compacted', id: `c${session.state.request}`, processed_at: '' } },
      ],
    });

  test('is summarised, and the turn goes on', () => {
    const session = startSession();
    session.send(message('go'));
    sampled(session, 'too_long');
    expect(session.commands).toMatchObject([{ do: 'sample', compact: { halvings: 0 } }]);
    compacted(session);
    expect(session.commands).toMatchObject([{ do: 'sample', request: 3 }]);
    expect(session.commands[0]).not.toHaveProperty('compact');
  });

  test('even for its summary is asked for at half the size each time, then given up in the open', () => {
    const session = startSession();
    session.send(message('go'));
    const sizes: unknown[] = [];
    for (let i = 0; i < 9 && session.state.turn; i++) {
      sampled(session, 'too_long');
      sizes.push(session.commands[0]?.do === 'sample' ? session.commands[0].compact?.halvings : 'over');
    }
    expect(sizes).toEqual([0, 1, 2, 3, 'over']);
    expect(session.types()).toContain('session.error');
    expect(session.last()).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
  });

  test('even beside its summary is given up in the open', () => {
    const session = startSession();
    session.send(message('go'));
    sampled(session, 'too_long');
    compacted(session);
    sampled(session, 'too_long');
    expect(session.last()).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
  });

  test('is still summarised when the request for the summary fails and is made again', () => {
    const session = startSession();
    session.send(message('go'));
    sampled(session, 'too_long');
    sampled(session, 'overloaded');
    session.feed({ in: 'woke', request: 2 });
    expect(session.commands).toMatchObject([{ do: 'sample', request: 3, compact: { halvings: 0 } }]);
  });
});
