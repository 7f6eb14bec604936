import { describe, expect, test } from 'vitest';
import { isEventEntry, type LogEntry } from '../../events/entry.ts';
import type { EventParams, SessionEvent } from '../../events/wire.ts';
import { DEFAULT_OUTPUT_LIMITS, DEFAULT_SESSION_SETTINGS, type SampleResult } from '../contract.ts';
import { initialState, type SessionState } from '../state.ts';
import type { Command } from './draft.ts';
import { recall } from './recall.ts';
import { type StepInput, step } from './step.ts';
import { message, startSession, USAGE } from './testing.ts';

type Session = ReturnType<typeof startSession>;

/** Sessions of every shape, up to a point in the middle of something. */
const SHAPES: Record<string, (session: Session) => void> = {
  'a talk': (session) => {
    session.send(message('hello'));
    say(session, 'm1');
    session.send(message('again'));
    session.send(message('and more'));
    say(session, 'm2');
  },
  'tools that run': (session) => {
    session.send(message('go'));
    session.use('bash', 'bash', 'read');
    session.finish('use_1_0');
    session.finish('use_1_2');
    session.finish('use_1_1');
    say(session, 'm');
  },
  'tools that are denied': (session) => {
    session.send(message('go'));
    session.use('grep', 'read');
    session.finish('use_1_1');
    say(session, 'm');
  },
  people: (session) => {
    session.send(message('go'));
    session.use('write', 'edit', 'deploy', 'read');
    session.finish('use_1_3');
    session.send({ type: 'user.custom_tool_result', custom_tool_use_id: 'use_1_2', content: [] });
    session.send({ type: 'user.tool_confirmation', tool_use_id: 'use_1_1', result: 'deny', deny_message: 'no' });
    session.send({ type: 'user.tool_confirmation', tool_use_id: 'use_1_0', result: 'allow' });
    session.finish('use_1_0');
    say(session, 'm');
  },
  'a failing model': (session) => {
    session.send(message('go'));
    const failed = (request: number) =>
      session.feed({ in: 'sampled', request, result: { ok: false, class: 'overloaded', message: 'busy' } });
    failed(1);
    session.send(message('are you there?'));
    session.feed({ in: 'woke', request: 1 });
    failed(2);
    session.feed({ in: 'woke', request: 2 });
    say(session, 'm');
    say(session, 'm2');
  },
  interrupts: (session) => {
    session.send({ type: 'user.interrupt' });
    session.send(message('go'));
    session.send({ type: 'user.interrupt' });
    session.send(message('and now'));
    session.reply({ stop: 'interrupted' });
    session.use('bash');
    session.send({ type: 'user.interrupt' });
    session.feed({ in: 'graceOver', turn: session.state.turns });
    session.send(message('ask'));
    session.use('write');
    session.send({ type: 'user.interrupt' });
  },
  outputs: (session) => {
    session.send(message('go'));
    session.use('bash', 'write');
    session.feed({ in: 'provisioned', ref: { sessionId: 'sesn_1', generation: 1, id: 'x', provider: 'gvisor' } });
    session.finish('use_1_0');
    session.feed({ in: 'collected', turn: 1, changes: 3, list: 'abc', problems: ['one was too large'] });
    session.send({ type: 'user.tool_confirmation', tool_use_id: 'use_1_1', result: 'allow' });
    session.finish('use_1_1');
    say(session, 'm');
    session.feed({ in: 'collectLate', turn: 1 });
  },
  outcomes: (session) => {
    const define = { type: 'user.define_outcome', description: 'a report', rubric: { type: 'text', content: 'long' } };
    const grade = (result: 'needs_revision' | 'satisfied') =>
      session.feed({
        in: 'graded',
        evaluation: session.state.outcome?.evaluation ?? '',
        grade: { kind: 'verdict', result, explanation: result, usage: USAGE },
      });
    const grader = { command: 'make check', mode: 'command' as const };
    session.ask({ op: 'events', events: [{ event: define as EventParams, grader }] });
    say(session, 'm1');
    grade('needs_revision');
    session.use('bash');
    session.finish('use_2_0');
    say(session, 'm2');
    grade('satisfied');
    session.send({ ...define, max_iterations: 1 } as EventParams);
    say(session, 'm3');
    session.send({ type: 'user.interrupt' });
    session.feed({ in: 'graceOver', turn: session.state.turns });
  },
  'an end': (session) => {
    session.send(message('hello'));
    say(session, 'm');
    session.ask({ op: 'update', title: 'new', metadata: { a: 'b' } });
    session.ask({ op: 'archive' });
  },
};

function say(session: Session, id: string): void {
  session.reply({ events: [{ event: { type: 'agent.message', id, processed_at: '', content: [] } }] });
}

/** Each state that the session of a shape goes through, with the log up to it. */
function statesOf(play: (session: Session) => void): { state: SessionState; log: LogEntry[] }[] {
  const session = startSession({ ...DEFAULT_SESSION_SETTINGS, outputs: DEFAULT_OUTPUT_LIMITS });
  const states: { state: SessionState; log: LogEntry[] }[] = [];
  const feed = session.feed;
  session.feed = (input) => {
    const answer = feed(input);
    states.push({ state: session.state, log: [...session.log] });
    return answer;
  };
  play(session);
  return states;
}

function recalled(log: LogEntry[], like: SessionState): SessionState {
  const state = initialState(
    {
      ...{ v: 1, session: like.session, workspace: like.workspace, thread: like.thread, agent: like.agent },
      ...{ harness: 'default@1', settings: DEFAULT_SESSION_SETTINGS, handsQueue: 'hands' },
    },
    like.createdAt,
  );
  for (const entry of log) recall(state, entry);
  return state;
}

/** What of a state the log tells. Whether a call has begun, it does not: allowed ones count as begun. */
function told({ turn, outcome, ...state }: SessionState) {
  const { metadataSeq, seq, lastAt, status, request, turns, queue, confirmed, ended } = state;
  const calls = (turn?.calls ?? []).filter((call) => call.state !== 'done');
  return {
    ...{
      metadataSeq,
      seq,
      lastAt,
      status,
      request,
      turns,
      queue,
      confirmed,
      ended: ended !== null,
      open: turn !== null,
    },
    outcome: outcome && { ...outcome, replySeqs: undefined, spent: undefined },
    judged: outcome?.evaluation && outcome.replySeqs,
    waiting: turn?.phase === 'waiting',
    span: turn?.span && { id: turn.span.id, seq: turn.span.seq },
    interrupts: turn?.interrupts ?? [],
    calls: calls.map(({ id, name, input, state }) => ({
      id,
      name,
      input,
      state: state === 'ready' ? 'running' : state,
    })),
  };
}

describe('the log tells what the workflow remembered', () => {
  test.each(Object.entries(SHAPES))('%s, at every step', (_name, play) => {
    const states = statesOf(play);
    expect(states.length).toBeGreaterThan(2);
    for (const { state, log } of states) expect(told(recalled(log, state))).toEqual(told(state));
  });

  test('and refuses a log with a gap', () => {
    const [first] = statesOf(SHAPES['a talk'] ?? (() => undefined));
    if (!first) throw new Error('no states');
    expect(() => recalled(first.log.slice(1), first.state)).toThrow('Expected entry 0');
  });
});

/** Lets a session that was told from its log go on, with a model that says one thing and people that allow everything. */
function goOn(state: SessionState, log: LogEntry[]) {
  const all = [...log];
  const executed: string[] = [];
  let now = state.lastAt + 1_000;
  const feed = (input: StepInput) => {
    now += 10;
    const result = step(state, input, DEFAULT_SESSION_SETTINGS, now);
    state = result.state;
    all.push(...result.entries);
    return result;
  };
  const obey = (commands: Command[]) => {
    for (const command of commands) {
      if (command.do === 'execute') {
        executed.push(command.call.id);
        const result = { kind: 'finished', content: [], isError: false, startedAt: '', finishedAt: '' } as const;
        obey(
          feed({ in: 'executed', call: command.call.id, result: { ...result, content: [] }, generation: 1 }).commands,
        );
      } else if (command.do === 'grade') {
        const grade = { kind: 'verdict', result: 'satisfied', explanation: 'good', usage: USAGE } as const;
        obey(feed({ in: 'graded', evaluation: command.evaluation.id, grade }).commands);
      } else if (command.do === 'sample') {
        const result: SampleResult = { ok: true, events: [], calls: [], stop: 'end_turn', usage: USAGE };
        obey(feed({ in: 'sampled', request: command.request, result }).commands);
      }
    }
  };
  obey(feed({ in: 'woken' }).commands);
  const untouched = all.length === log.length;
  while (state.turn) {
    const [call] = state.turn.calls.filter(({ state: is }) => is === 'ask' || is === 'custom');
    if (!call) throw new Error(`stuck in ${state.turn.phase}`);
    const event: EventParams =
      call.state === 'ask'
        ? { type: 'user.tool_confirmation', tool_use_id: call.id, result: 'allow' }
        : { type: 'user.custom_tool_result', custom_tool_use_id: call.id, content: [] };
    obey(feed({ in: 'request', request: { id: call.id, op: { op: 'events', events: [{ event }] } } }).commands);
  }
  return { state, log: all, executed, untouched };
}

const eventsOf = (log: LogEntry[]) =>
  log.flatMap((entry): SessionEvent[] => (isEventEntry(entry) ? [entry.event] : []));

describe('a session that was lost', () => {
  test.each(Object.entries(SHAPES))('%s: goes on from every step to an end', (_name, play) => {
    for (const { state: real, log } of statesOf(play)) {
      const before = eventsOf(log);
      const after = goOn(recalled(log, real), log);
      expect(after.log.map((entry) => entry.seq)).toEqual(after.log.map((_, index) => index));
      expect(after.state.status).toBe(real.ended ? 'terminated' : 'idle');
      expect(after.state.queue).toEqual([]);
      const events = eventsOf(after.log);
      const uses = events.filter((event) => event.type === 'agent.tool_use' || event.type === 'agent.custom_tool_use');
      for (const { id } of uses) {
        const answers = events.filter(
          (event) =>
            (event.type === 'agent.tool_result' && event.tool_use_id === id) ||
            (event.type === 'user.custom_tool_result' && event.custom_tool_use_id === id),
        );
        expect(answers, id).toHaveLength(1);
      }
      const begun = before.filter(
        (event) => event.type === 'agent.tool_use' && event.evaluated_permission === 'allow',
      ) as { id: string }[];
      expect(after.executed.filter((id) => begun.some((use) => use.id === id))).toEqual([]);
      const spans = events.filter((event) => event.type.startsWith('span.')).map((event) => event.type);
      expect(spans.filter((type) => type.endsWith('start')).length).toBe(
        spans.filter((type) => type.endsWith('end')).length,
      );
      // Waiting for people or for nothing at all: there is nothing to say.
      if (!real.turn || real.turn.phase === 'waiting') expect(after.untouched).toBe(true);
    }
  });

  test('whose turn was over but for its outputs, is over without another model request', () => {
    const session = startSession({ ...DEFAULT_SESSION_SETTINGS, outputs: DEFAULT_OUTPUT_LIMITS });
    session.send(message('go'));
    session.use('bash');
    session.feed({ in: 'provisioned', ref: { sessionId: 'sesn_1', generation: 1, id: 'x', provider: 'gvisor' } });
    session.finish('use_1_0');
    say(session, 'm');
    expect(session.state.turn?.phase).toBe('collecting');
    const { state } = goOn(recalled(session.log, session.state), session.log);
    expect([state.status, state.request]).toEqual(['idle', 2]);
  });

  test('tells the model that the outcome of an open call cannot be known', () => {
    const session = startSession();
    session.send(message('go'));
    session.use('bash', 'write');
    const { log, executed } = goOn(recalled(session.log, session.state), session.log);
    const results = eventsOf(log).filter((event) => event.type === 'agent.tool_result');
    expect(JSON.stringify(results[0])).toContain('cannot be known');
    expect(executed).toEqual(['use_1_1']);
  });
});
