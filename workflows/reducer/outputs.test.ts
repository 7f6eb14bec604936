/** Idle waits for what the agent made: shortly, and only where the sandbox was used. */
import { expect, test } from 'vitest';
import { DEFAULT_OUTPUT_LIMITS, DEFAULT_SESSION_SETTINGS } from '../contract.ts';
import { message, startSession } from './testing.ts';

const REF = { sessionId: 'sesn_1', generation: 1, id: 'x', provider: 'gvisor' };

/** A session whose agent has just finished one call. */
function afterCall(...more: string[]) {
  const session = startSession({ ...DEFAULT_SESSION_SETTINGS, outputs: DEFAULT_OUTPUT_LIMITS });
  session.send(message('go'));
  session.use('bash', ...more);
  session.feed({ in: 'provisioned', ref: REF });
  session.finish('use_1_0');
  return session;
}
const idles = (session: ReturnType<typeof startSession>) =>
  session.types().filter((type) => type === 'session.status_idle').length;
const asked = { turn: 1, changes: 3 };

test('a turn that used no tool is idle at once', () => {
  const session = startSession({ ...DEFAULT_SESSION_SETTINGS, outputs: DEFAULT_OUTPUT_LIMITS });
  session.send(message('hello'));
  session.reply({});
  expect([idles(session), session.commands]).toEqual([1, []]);
});

test('a turn that used the sandbox is idle once its outputs have been brought out, and then saves its files', () => {
  const session = afterCall();
  session.reply({});
  expect(session.commands).toMatchObject([{ do: 'collect', ...asked, waitMs: 10_000 }]);
  expect([idles(session), session.state.status]).toEqual([0, 'running']);
  session.feed({ in: 'collected', ...asked, list: 'abc', problems: [] });
  expect(idles(session)).toBe(1);
  expect(session.commands).toMatchObject([{ do: 'checkpoint' }, { do: 'idleTimer' }]);
  session.send(message('more'));
  session.use('bash');
  session.finish('use_3_0');
  session.reply({});
  expect(session.commands).toMatchObject([{ do: 'collect', turn: 2 }]);
  expect(session.state.outputs?.list).toBe('abc');
});

test('a turn after it that uses no tool does not look again', () => {
  const session = afterCall();
  session.reply({});
  session.feed({ in: 'collected', ...asked, problems: [] });
  session.send(message('thanks'));
  session.reply({});
  expect(idles(session)).toBe(2);
});

test('outputs that take too long follow: idle comes without them, and what goes wrong is said when it is known', () => {
  const session = afterCall();
  session.reply({});
  session.feed({ in: 'collectLate', turn: 1 });
  expect(idles(session)).toBe(1);
  session.send(message('next'));
  session.feed({ in: 'collected', ...asked, list: 'abc', problems: ['big.bin is too large'] });
  expect(session.last()).toMatchObject({ type: 'session.error', error: { type: 'unknown_error' } });
  expect(JSON.stringify(session.last())).toContain('big.bin is too large');
  expect([idles(session), session.state.turn?.phase, session.state.outputs?.list]).toEqual([1, 'sampling', 'abc']);
});

test('the late look of one turn does not end the wait of the next', () => {
  const session = afterCall();
  session.reply({});
  session.feed({ in: 'collectLate', turn: 1 });
  session.send(message('next'));
  session.use('bash');
  session.finish('use_3_0');
  session.reply({});
  session.feed({ in: 'collected', ...asked, problems: [] });
  session.feed({ in: 'collectLate', turn: 1 });
  expect(idles(session)).toBe(1);
  session.feed({ in: 'collected', turn: 2, changes: session.state.sandbox.changes, problems: [] });
  expect(idles(session)).toBe(2);
});

test('a session that waits for people has its outputs out, too; an answer that comes meanwhile is taken', () => {
  const session = afterCall('deploy');
  expect(session.commands).toMatchObject([{ do: 'collect' }]);
  expect(idles(session)).toBe(0);
  session.feed({ in: 'collected', ...asked, problems: [] });
  expect(session.last()).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'requires_action' } });

  const quick = afterCall('deploy');
  quick.send({ type: 'user.custom_tool_result', custom_tool_use_id: 'use_1_1', content: [] });
  quick.feed({ in: 'collected', ...asked, problems: [] });
  expect([idles(quick), quick.state.turn?.phase]).toEqual([0, 'sampling']);
});

test('an interrupt does not wait for outputs, and what was said meanwhile starts the next turn', () => {
  const session = afterCall();
  session.reply({});
  session.send({ type: 'user.interrupt' }, message('next'));
  expect([idles(session), session.state.turns, session.state.turn?.phase]).toEqual([1, 2, 'sampling']);

  const waiting = afterCall('deploy');
  waiting.send({ type: 'user.interrupt' });
  expect([idles(waiting), waiting.state.turn]).toEqual([1, null]);
  expect(waiting.last()).toMatchObject({ stop_reason: { type: 'end_turn' } });
});

test('an interrupt that the hands do not answer is over after its grace, without a further wait for outputs', () => {
  const session = afterCall();
  session.use('bash');
  session.send({ type: 'user.interrupt' });
  session.feed({ in: 'graceOver', turn: 1 });
  expect([idles(session), session.state.turn]).toEqual([1, null]);
  expect(session.commands).toMatchObject([{ do: 'collect' }, { do: 'checkpoint' }, { do: 'idleTimer' }]);
});
