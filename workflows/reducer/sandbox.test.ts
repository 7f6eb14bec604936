/** What the reducer knows of a session's sandbox. */
import { describe, expect, test } from 'vitest';
import { message, startSession } from './testing.ts';

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

describe('files that are more than a checkpoint may hold', () => {
  test('are said once, until one succeeds again; the session and its sandbox go on', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash');
    session.feed({ in: 'provisioned', ref: { sessionId: 'sesn_1', generation: 1, id: 'x', provider: 'gvisor' } });
    session.finish('use_1_0');
    session.reply({});
    const errors = () => session.log.filter((entry) => JSON.stringify(entry).includes('are not saved'));
    const tooLarge = { in: 'unsaved', generation: 1, message: 'more than 3 GiB' } as const;
    session.feed(tooLarge);
    session.feed(tooLarge);
    session.feed({ ...tooLarge, generation: 2 });
    expect(errors()).toHaveLength(1);
    expect(session.state.status).toBe('idle');
    expect(session.state.sandbox.ref).toBeDefined();
    const { changes } = session.state.sandbox;
    session.feed({ in: 'checkpointed', generation: 1, changes, checkpoint: null });
    session.feed(tooLarge);
    expect(errors()).toHaveLength(2);
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
