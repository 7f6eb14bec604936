/**
 * A session in a world without Temporal: it keeps what the reducer has asked for, and answers as actions say. Every
 * step is checked against the rules (`invariants.ts`).
 */
import type { LogEntry } from '../../../events/entry.ts';
import { isEventEntry } from '../../../events/entry.ts';
import type { EventParams } from '../../../events/wire.ts';
import {
  type AgentPolicy,
  DEFAULT_OUTPUT_LIMITS,
  type SessionAnswer,
  type SessionOp,
  type SessionRequest,
} from '../../contract.ts';
import type { Grade } from '../../grading-contract.ts';
import { initialState, type SessionState } from '../../state.ts';
import type { Command } from '../draft.ts';
import { recall } from '../recall.ts';
import { busy, type StepInput, step } from '../step.ts';
import { AGENT, SETTINGS } from '../testing.ts';
import { isTaken } from './acceptance.ts';
import type { Action, CallEnd, Post, Target } from './actions.ts';
import { CANARY, failed, graded, outcome, replied } from './answers.ts';
import { checkCommands, checkState, checkStep, type Outstanding } from './invariants.ts';
import { type LogReader, openLog, readEntry } from './log-reader.ts';

const START = 1_700_000_000_000;
const UNKNOWN_ID = 'sevt_unknown';

/** A request that was made of the session. */
export interface Asked {
  request: SessionRequest;
  answer: SessionAnswer;
  /** Length of the log before it. */
  at: number;
}

export interface World {
  readonly asked: Asked[];
  readonly state: SessionState;
  readonly log: LogEntry[];
  readonly reader: LogReader;
  readonly outstanding: Outstanding;
  perform(action: Action): void;
  /** Feeds one input; the answer is that of a request. */
  feed(input: StepInput): SessionAnswer | undefined;
  /** Ids of tool uses that wait for a person, then of all there have been. */
  uses(among: Target['among']): string[];
}

/**
 * @param options - `agent`: whose policies hold; `label`: stands in every message, to tell worlds apart; `outputs`:
 *   they are brought out.
 */
export function createWorld(options: { agent?: AgentPolicy; label?: string; outputs?: boolean } = {}): World {
  const { agent = AGENT, label = '' } = options;
  const settings = options.outputs ? { ...SETTINGS, outputs: DEFAULT_OUTPUT_LIMITS } : SETTINGS;
  const fresh = () =>
    initialState(
      {
        ...{ v: 1, session: 'sesn_1', workspace: 'w', thread: 'sthr_1', agent, harness: 'default@1' },
        ...{ settings, handsQueue: 'hands' },
      },
      START,
    );
  let state = fresh();
  let now = START;
  let requests = 0;
  let messages = 0;
  const log: LogEntry[] = [];
  const reader = openLog();
  const delivered: StepInput[] = [];
  const asked: Asked[] = [];
  const outstanding: Outstanding = {
    calls: new Map(),
    timers: [],
    executed: new Set(),
    provisioning: false,
    gradings: new Map(),
  };

  function feed(input: StepInput): SessionAnswer | undefined {
    now += 3;
    const before = JSON.stringify(state);
    const result = step(state, input, settings, now);
    checkStep(input, before, state, result);
    // What a grader has used counts even when its verdict came too late for the log.
    if (input.in === 'graded') count(reader, input.grade.usage);
    state = result.state;
    log.push(...result.entries);
    for (const entry of result.entries) readEntry(reader, entry);
    // Before the commands: what was out when the input came is what it may answer.
    settle(input);
    for (const command of result.commands) obey(command);
    checkCommands(state, result.commands, outstanding, reader);
    checkState(state, reader, outstanding);
    return result.answer;
  }

  /** An input from an activity or a timer: it is remembered, to be delivered again. */
  function deliver(input: StepInput): void {
    delivered.push(input);
    feed(input);
  }

  /** Takes out what the input was the answer to. */
  function settle(input: StepInput): void {
    if (input.in === 'sampled' && outstanding.sample?.request === input.request) outstanding.sample = undefined;
    else if (input.in === 'executed' || input.in === 'executeFailed') outstanding.calls.delete(input.call);
    else if (input.in === 'graded') outstanding.gradings.delete(input.evaluation);
    else if (input.in === 'collected') outstanding.collect = undefined;
    else if (input.in === 'graceOver' && !state.turn?.calls.some((call) => call.state === 'running')) {
      // Nobody waits for those activities any more.
      outstanding.calls.clear();
      if (!state.turn?.span) outstanding.sample = undefined;
    }
  }

  function obey(command: Command): void {
    switch (command.do) {
      case 'sample':
        outstanding.sample = command;
        return;
      case 'execute':
        outstanding.calls.set(command.call.id, command.call.name);
        if (!state.sandbox.ref) outstanding.provisioning = true;
        return;
      case 'provision':
        if (!state.sandbox.ref) outstanding.provisioning = true;
        return;
      case 'sleep':
        outstanding.timers.push({ at: now + command.ms, input: { in: 'woke', request: command.request } });
        return;
      case 'grace':
        outstanding.timers.push({ at: now + command.ms, input: { in: 'graceOver', turn: command.turn } });
        return;
      case 'idleTimer':
        outstanding.timers.push({ at: now + command.ms, input: { in: 'idleElapsed', turn: command.turn } });
        return;
      case 'collect':
        outstanding.collect = command;
        outstanding.timers.push({ at: now + command.waitMs, input: { in: 'collectLate', turn: command.turn } });
        return;
      case 'grade':
        outstanding.gradings.set(command.evaluation.id, command.evaluation);
        return;
      case 'checkpoint':
        outstanding.saving = { generation: state.sandbox.generation, changes: state.sandbox.changes };
        return;
      case 'release':
        if (state.sandbox.ref) outstanding.releasing = true;
        return;
      case 'abortSample':
      case 'stopCalls':
      case 'stopGrading':
        return;
    }
  }

  function ask(op: SessionOp): SessionAnswer | undefined {
    const request = { id: `request ${++requests}`, op };
    const at = log.length;
    const taken = isTaken(reader, op, state.thread, state.agent.rev);
    const answer = feed({ in: 'request', request });
    if (answer?.ok !== taken)
      throw new Error(`It must ${taken ? '' : 'not '}be taken: ${JSON.stringify([op, answer])}`);
    if (answer) asked.push({ request, answer, at });
    return answer;
  }

  function provisioned(): void {
    outstanding.provisioning = false;
    const generation = state.sandbox.generation + 1;
    deliver({
      in: 'provisioned',
      ref: { sessionId: 'sesn_1', generation, id: `box${generation}`, provider: 'gvisor' },
    });
  }

  function finish(id: string, how: CallEnd): void {
    if (!outstanding.calls.has(id)) return;
    if (how === 'failed' || how === 'failedStarted') {
      const started = how === 'failedStarted';
      return deliver({ in: 'executeFailed', call: id, message: 'no worker', started });
    }
    if (!state.sandbox.ref) provisioned();
    const { generation } = state.sandbox;
    deliver({
      in: 'executed',
      call: id,
      result: outcome(how),
      generation: how === 'lostOfOlderSandbox' ? generation - 1 : generation,
    });
  }

  function uses(among: Target['among']): string[] {
    if (among === 'unknown') return [UNKNOWN_ID];
    if (among === 'waiting') {
      return (state.turn?.calls ?? [])
        .filter((one) => one.state === 'ask' || one.state === 'custom')
        .map((one) => one.id);
    }
    return log.flatMap((entry) =>
      isEventEntry(entry) && (entry.event.type === 'agent.tool_use' || entry.event.type === 'agent.custom_tool_use')
        ? [entry.event.id]
        : [],
    );
  }

  function params(post: Post): EventParams {
    const content = [{ type: 'text' as const, text: `${CANARY} ${label}message ${++messages}.` }];
    const idOf = (target: Target) => {
      const ids = uses(target.among);
      return ids[target.pick % Math.max(1, ids.length)] ?? UNKNOWN_ID;
    };
    switch (post.post) {
      case 'message':
        return { type: 'user.message', content };
      case 'system':
        return { type: 'system.message', content };
      case 'interrupt':
        return { type: 'user.interrupt', ...(post.elsewhere ? { session_thread_id: 'sthr_other' } : {}) };
      case 'confirm': {
        const tool_use_id = idOf(post.target);
        return post.allow
          ? { type: 'user.tool_confirmation', tool_use_id, result: 'allow' }
          : { type: 'user.tool_confirmation', tool_use_id, result: 'deny', deny_message: CANARY };
      }
      case 'custom':
        return {
          type: 'user.custom_tool_result',
          custom_tool_use_id: idOf(post.target),
          is_error: post.isError,
          content,
        };
      case 'outcome': {
        const limit = post.iterations === null ? {} : { max_iterations: post.iterations };
        return {
          ...{ type: 'user.define_outcome', description: CANARY, rubric: { type: 'text', content: CANARY } },
          ...limit,
        };
      }
      case 'unsupported':
        return { type: 'user.tool_result', tool_use_id: UNKNOWN_ID, content };
    }
  }

  function perform(action: Action): void {
    switch (action.do) {
      case 'post':
        ask({ op: 'events', events: action.events.map((post) => ({ event: params(post) })) });
        return;
      case 'repeat': {
        const taken = asked.filter((one) => one.answer.ok);
        const known = taken[action.pick % Math.max(1, taken.length)];
        if (!known || !state.answered.some((one) => one.id === known.request.id)) return;
        const { length } = log;
        const answer = feed({ in: 'request', request: known.request });
        if (JSON.stringify(answer) !== JSON.stringify(known.answer) || log.length !== length)
          throw new Error(`A repeated request was answered ${JSON.stringify(answer)}.`);
        return;
      }
      case 'update': {
        if (action.what === 'title') return void ask({ op: 'update', title: CANARY });
        const rev = action.what === 'agent' ? state.agent.rev + 1 : state.agent.rev;
        return void ask({ op: 'update', agent: { ...state.agent, rev } });
      }
      case 'sandbox':
        return void ask({ op: 'sandbox' });
      case 'end':
        return void ask({ op: action.how });
      case 'reply':
      case 'fail': {
        const { sample } = outstanding;
        if (!sample) return;
        const compact = sample.compact !== undefined;
        const result =
          action.do === 'fail' ? failed(action) : replied(state.thread, sample.request, compact, action.reply);
        return deliver({ in: 'sampled', request: sample.request, result });
      }
      case 'finish': {
        const ids = [...outstanding.calls.keys()];
        const id = ids[action.pick % Math.max(1, ids.length)];
        return id === undefined ? undefined : finish(id, action.how);
      }
      case 'provisioned':
        return outstanding.provisioning ? provisioned() : undefined;
      case 'saved': {
        const { saving } = outstanding;
        if (!saving) return;
        outstanding.saving = undefined;
        const checkpoint = action.whole ? { key: 'k', sha256: 'a'.repeat(64), bytes: 1, takenAt: 'then' } : null;
        return deliver({ in: 'checkpointed', ...saving, checkpoint });
      }
      case 'released':
        if (!outstanding.releasing) return;
        outstanding.releasing = false;
        return deliver({ in: 'released' });
      case 'grade': {
        const ids = [...outstanding.gradings.keys()];
        const id = ids[action.pick % Math.max(1, ids.length)];
        return id === undefined
          ? undefined
          : void feed({ in: 'graded', evaluation: id, grade: graded(action.verdict) });
      }
      case 'sign':
        for (const id of outstanding.gradings.keys()) feed({ in: 'stillGrading', evaluation: id });
        return;
      case 'collected': {
        const { collect } = outstanding;
        if (!collect) return;
        const problems = action.problems ? ['report.pdf: too large'] : [];
        return void feed({ in: 'collected', turn: collect.turn, changes: collect.changes, problems });
      }
      case 'lose':
        return lose();
      case 'timer': {
        const { timers } = outstanding;
        const [timer] = timers.splice(action.pick % Math.max(1, timers.length), 1);
        if (!timer) return;
        now = Math.max(now, timer.at);
        return deliver(timer.input);
      }
      case 'again': {
        const old = delivered[action.pick % Math.max(1, delivered.length)];
        if (!old || isAwaited(old)) return;
        const { length } = log;
        feed(old);
        if (log.length !== length) throw new Error(`Delivered twice, written twice: ${JSON.stringify(old)}`);
        return;
      }
      case 'carry':
        return carry();
      case 'wait':
        now += action.ms;
        return;
    }
  }

  /** An older input may mean the same as one that is on its way: then it is not a repeat but early. */
  function isAwaited(input: StepInput): boolean {
    if (input.in === 'released') return outstanding.releasing === true;
    if (input.in === 'idleElapsed' || input.in === 'checkpointed') return true;
    return outstanding.timers.some((timer) => JSON.stringify(timer.input) === JSON.stringify(input));
  }

  function carry(): void {
    const { sample, calls, provisioning, saving, releasing, gradings, collect } = outstanding;
    if (gradings.size > 0 || collect) return;
    if (calls.size > 0 || provisioning || saving || releasing || state.ended) return;
    if (busy(state) && !(sample && state.turn?.phase === 'sampling')) return;
    state = JSON.parse(JSON.stringify(state)) as SessionState;
    outstanding.timers = [];
    if (!busy(state) && state.sandbox.ref) obey({ do: 'idleTimer', ms: SETTINGS.sandboxIdleMs, turn: state.turns });
  }

  /** As `activities/wake.ts` does it. */
  function lose(): void {
    if (state.ended) return;
    const { usage, activeMs, answered, agent, sandbox } = state;
    state = { ...fresh(), agent };
    for (const entry of JSON.parse(JSON.stringify(log)) as LogEntry[]) recall(state, entry);
    Object.assign(state, { usage, activeMs, answered, sandbox: { ...sandbox, changes: sandbox.saved + 1 } });
    const { executed } = outstanding;
    for (const key of Object.keys(outstanding) as (keyof Outstanding)[]) delete outstanding[key];
    Object.assign(outstanding, { calls: new Map(), timers: [], executed, provisioning: false, gradings: new Map() });
    delivered.length = 0;
    feed({ in: 'woken' });
  }

  return {
    get state() {
      return state;
    },
    asked,
    log,
    reader,
    outstanding,
    perform,
    feed,
    uses,
  };
}

function count({ tokens }: LogReader, { input_tokens, output_tokens }: Grade['usage']): void {
  tokens.input += input_tokens;
  tokens.output += output_tokens;
}
