import { describe, expect, test } from 'vitest';
import { isEventEntry } from '../../events/entry.ts';
import type { EventParams } from '../../events/wire.ts';
import type { Grade } from '../grading-contract.ts';
import { message, startSession, USAGE } from './testing.ts';

const define = (more: object = {}): EventParams => ({
  type: 'user.define_outcome',
  description: 'a poem',
  rubric: { type: 'text', content: 'it rhymes' },
  ...more,
});
const said = { events: [{ event: { type: 'agent.message' as const, id: 'm', processed_at: '', content: [] } }] };

/** A session whose agent has just ended its turn. @returns with the open evaluation's id */
function evaluating(more: object = {}) {
  const session = startSession();
  session.send(define(more));
  session.reply(said);
  return session;
}

type Session = ReturnType<typeof startSession>;
const grade = (session: Session, result: Extract<Grade, { kind: 'verdict' }>['result'], explanation: string = result) =>
  session.feed({
    in: 'graded',
    evaluation: session.state.outcome?.evaluation ?? '',
    grade: { kind: 'verdict', result, explanation, usage: USAGE },
  });
const ends = (session: Session) =>
  session.log.flatMap((entry) =>
    isEventEntry(entry) && entry.event.type === 'span.outcome_evaluation_end' ? [entry.event] : [],
  );
/** Where the log says that the newest outcome stands. */
const noted = (session: Session) =>
  session.log.flatMap((entry) => (isEventEntry(entry) ? (entry.private?.row?.outcomes ?? []) : []));

test('work is graded instead of ending the turn, with the words it ended with', () => {
  const session = evaluating();
  const reply = session.log.findIndex((entry) => isEventEntry(entry) && entry.event.type === 'agent.message');
  expect(session.commands).toMatchObject([
    { do: 'grade', evaluation: { iteration: 0, defineSeq: 0, replySeqs: [reply] } },
  ]);
  expect(session.state.status).toBe('running');
});

test('as many evaluations as iterations, then one request that is not graded', () => {
  const session = evaluating({ max_iterations: 3 });
  for (let i = 0; i < 2; i++) {
    grade(session, 'needs_revision');
    expect(session.commands).toMatchObject([{ do: 'sample' }]);
    session.reply(said);
  }
  grade(session, 'needs_revision');
  session.reply(said);
  expect(ends(session).map((end) => end.result)).toEqual([
    'needs_revision',
    'needs_revision',
    'max_iterations_reached',
  ]);
  expect(session.state).toMatchObject({ status: 'idle', turn: null });
});

test('a verdict that comes twice, or late, or for another evaluation changes nothing but the usage', () => {
  const session = evaluating();
  const evaluation = session.state.outcome?.evaluation ?? '';
  grade(session, 'needs_revision');
  const { length } = session.log;
  const before = session.state.usage.output_tokens ?? 0;
  session.feed({
    in: 'graded',
    evaluation,
    grade: { kind: 'verdict', result: 'satisfied', explanation: '', usage: USAGE },
  });
  session.feed({ in: 'stillGrading', evaluation });
  expect(session.log).toHaveLength(length);
  expect(session.state.usage.output_tokens).toBe(before + USAGE.output_tokens);
});

test('a grader that cannot be asked ends the outcome as failed, with an error', () => {
  const session = evaluating();
  session.feed({
    in: 'graded',
    evaluation: session.state.outcome?.evaluation ?? '',
    grade: { kind: 'error', class: 'overloaded', message: 'too busy', usage: USAGE },
  });
  expect(ends(session)).toMatchObject([{ result: 'failed', usage: USAGE }]);
  expect(session.types()).toContain('session.error');
  expect(session.last()).toMatchObject({ stop_reason: { type: 'retries_exhausted' } });
});

test('every change is noted on an entry of the log, in order', () => {
  const session = evaluating({ max_iterations: 2 });
  grade(session, 'needs_revision');
  session.reply(said);
  grade(session, 'satisfied');
  expect(noted(session).map((patch) => [patch.result, patch.iteration, patch.completed_at !== null])).toEqual([
    ['pending', 0, false],
    ['running', 0, false],
    ['evaluating', 0, false],
    ['running', 1, false],
    ['evaluating', 1, false],
    ['satisfied', 1, true],
  ]);
});

describe('an interrupt', () => {
  test('of an outcome that has not begun ends it, whatever comes with it', () => {
    const session = startSession();
    session.send(define(), { type: 'user.interrupt' });
    expect(ends(session)).toMatchObject([{ result: 'interrupted', outcome_evaluation_start_id: '' }]);
    expect(session.state.turn).toBeNull();
  });

  test('of the grader stops it and counts what it had cost', () => {
    const session = evaluating();
    const start = session.state.outcome?.evaluation ?? '';
    session.send({ type: 'user.interrupt' });
    expect(session.commands).toMatchObject([{ do: 'stopGrading' }, { do: 'grace' }]);
    session.feed({ in: 'graded', evaluation: start, grade: { kind: 'stopped', usage: USAGE } });
    expect(ends(session)).toMatchObject([{ result: 'interrupted', outcome_evaluation_start_id: start, usage: USAGE }]);
    expect(session.state.status).toBe('idle');
  });

  test('of a grader that does not stop ends the turn all the same', () => {
    const session = evaluating();
    session.send({ type: 'user.interrupt' });
    session.feed({ in: 'graceOver', turn: session.state.turns });
    expect(ends(session)).toMatchObject([{ result: 'interrupted' }]);
    expect(session.state.turn).toBeNull();
  });

  test('in the acknowledgement leaves the outcome as it ended', () => {
    const session = evaluating({ max_iterations: 1 });
    grade(session, 'needs_revision');
    session.send({ type: 'user.interrupt' });
    session.reply({ stop: 'interrupted' });
    expect(ends(session)).toMatchObject([{ result: 'max_iterations_reached' }]);
  });

  test('while the session waits for a person ends the outcome', () => {
    const session = startSession();
    session.send(define());
    session.use('write');
    expect(session.state.status).toBe('idle');
    session.send({ type: 'user.interrupt' });
    expect(ends(session)).toMatchObject([{ result: 'interrupted' }]);
  });
});

test('a second outcome is refused while one is open, and the session is as it was', () => {
  const session = evaluating();
  const before = JSON.stringify(session.state);
  expect(session.send(define())).toMatchObject({
    ok: false,
    status: 400,
    message: expect.stringContaining('evaluating'),
  });
  expect(JSON.stringify(session.state)).toBe(before);
  grade(session, 'satisfied');
  expect(session.send(define())).toMatchObject({ ok: true, events: [{ outcome_id: expect.any(String) }] });
});

test('an outcome is refused while the session waits for a person', () => {
  const session = startSession();
  session.send(message('go'));
  session.use('write');
  expect(session.send(define())).toMatchObject({ ok: false, message: expect.stringContaining('requires_action') });
});

test('an outcome that comes behind the last request of a turn is shown in a further one before it is graded', () => {
  const session = startSession();
  session.send(message('hello'));
  session.send(define());
  session.reply(said);
  expect(session.commands).toMatchObject([{ do: 'sample' }]);
  session.reply(said);
  expect(session.commands).toMatchObject([{ do: 'grade' }]);
});

test('messages that came during the evaluation go with the next iteration', () => {
  const session = evaluating();
  session.send(message('in blue'));
  expect(session.state.queue).toHaveLength(1);
  grade(session, 'needs_revision');
  expect(session.state.queue).toHaveLength(0);
});

test('a session that is archived while it waits for a person ends its outcome', () => {
  const session = startSession();
  session.send(define());
  session.use('write');
  session.ask({ op: 'archive' });
  expect(ends(session)).toMatchObject([{ result: 'interrupted', explanation: expect.stringContaining('archived') }]);
  expect(session.types().at(-1)).toBe('session.status_terminated');
});
