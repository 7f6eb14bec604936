/** What must hold after every step, whatever has happened. Each check throws with what is wrong. */
import { DEFAULT_SESSION_SETTINGS } from '../../contract.ts';
import type { Evaluation } from '../../grading-contract.ts';
import type { SessionState } from '../../state.ts';
import type { Command } from '../draft.ts';
import { busy, type StepInput, type StepResult } from '../step.ts';
import type { LogReader } from './log-reader.ts';

/** What the reducer has asked for and has not been answered yet. */
export interface Outstanding {
  sample?: Extract<Command, { do: 'sample' }> | undefined;
  /** Calls that are out: id → tool. */
  calls: Map<string, string>;
  /** Every call that was ever sent out. */
  executed: Set<string>;
  timers: { at: number; input: StepInput }[];
  provisioning: boolean;
  saving?: { generation: number; changes: number } | undefined;
  releasing?: boolean;
  /** Evaluations that are out, by the id of their start. */
  gradings: Map<string, Evaluation>;
  collect?: Extract<Command, { do: 'collect' }> | undefined;
}

/** Bytes of a state that has nothing pending: it must not grow with the session. */
const IDLE_STATE_BYTES = 3_000;
/** Bytes for each thing that is pending. */
const PENDING_BYTES = 400;

function must(holds: boolean, rule: string, ...shown: unknown[]): void {
  if (!holds) throw new Error(`${rule}\n${shown.map((one) => JSON.stringify(one)).join('\n')}`);
}

/** The step itself: pure, whole or not at all, and without a bug behind its answer. */
export function checkStep(input: StepInput, before: string, given: SessionState, result: StepResult): void {
  must(JSON.stringify(given) === before, 'a step changed its argument', input);
  must((input.in === 'request') === (result.answer !== undefined), 'a request and nothing else is answered', input);
  const said = JSON.stringify([result.answer ?? null, result.entries]);
  must(!said.includes('Internal error'), 'a bug was caught', input, said);
  if (result.answer?.ok === false) {
    must(JSON.stringify(result.state) === before, 'a refused request changed the state', input);
    must(result.entries.length === 0 && result.commands.length === 0, 'a refused request had an effect', input);
  }
  for (const accepted of result.answer?.ok ? result.answer.events : []) {
    const entry = result.entries.find((one) => one.seq === accepted.seq);
    if (entry) must('event' in entry && entry.event.id === accepted.id, 'an answer names its entry', accepted, entry);
  }
}

/** What is asked of the world: nothing twice, nothing that nobody allowed, nothing after the end. */
export function checkCommands(
  state: SessionState,
  commands: Command[],
  outstanding: Outstanding,
  reader: LogReader,
): void {
  for (const command of commands) {
    if (state.ended) must(command.do === 'release', 'a command after the end', command);
    if (command.do === 'execute') {
      const { id } = command.call;
      must(!outstanding.executed.has(id), 'a call was sent out twice', command);
      outstanding.executed.add(id);
      const use = reader.open.get(id);
      must(use?.permission === 'allow' || use?.confirmed === 'allow', 'a call ran that nobody allowed', command);
    }
    if (command.do === 'grade') {
      must(reader.outcome?.evaluation === command.evaluation.id, 'a stale evaluation', command);
    }
    if (command.do === 'sample') {
      must(command.request === state.request && state.turn?.span?.seq === command.startSeq, 'a stale request', command);
    }
  }
  must(commands.filter((command) => command.do === 'sample').length <= 1, 'two model requests at once', commands);
}

/** The state: what a reader of the log believes, small, and never stuck. */
export function checkState(state: SessionState, reader: LogReader, outstanding: Outstanding): void {
  const { turn } = state;
  const believed = {
    seq: reader.next,
    status: reader.status,
    span: reader.span ?? null,
    lastAt: reader.lastAt,
    outcome: reader.outcome ?? null,
    open: state.ended ? [] : [...reader.open.keys()],
    unprocessed: state.ended ? [] : [...reader.unprocessed.keys()],
  };
  const known = {
    seq: state.seq,
    status: state.status,
    span: turn?.span?.id ?? null,
    lastAt: state.lastAt,
    outcome: openOutcome(state),
    open: (turn?.calls ?? []).filter((call) => call.state !== 'done').map((call) => call.id),
    unprocessed: state.ended
      ? []
      : [...state.queue.map((one) => one.seq), ...(turn?.interrupts ?? [])].sort((a, b) => a - b),
  };
  must(
    JSON.stringify(believed) === JSON.stringify(known),
    'the log and the state tell different stories',
    believed,
    known,
  );
  must(reader.expected.length === 0, 'an order of events was left unfinished', reader.expected);
  must(state.usage.input_tokens === reader.tokens.input, 'tokens were miscounted', state.usage);
  checkSize(state);
  checkReady(state);
  if (busy(state)) checkMoving(state, outstanding);
  if (!turn) must(state.status === 'idle' || state.status === 'terminated', 'no turn, yet not idle', state.status);
  if (turn?.phase === 'waiting') must(reader.open.size > 0 && state.status === 'idle', 'waits for nobody', turn);
}

function openOutcome({ outcome }: SessionState): LogReader['outcome'] | null {
  if (!outcome || !/pending|running|evaluating/.test(outcome.result)) return null;
  const { seq, id, iteration, evaluation } = outcome;
  return { seq, id, iteration, ...(evaluation ? { evaluation } : {}) };
}

function checkSize(state: SessionState): void {
  const calls = state.turn?.calls ?? [];
  const pending = state.queue.length + calls.length + (state.turn?.interrupts.length ?? 0);
  const rest = JSON.stringify({ ...state, answered: [], confirmed: [] });
  must(rest.length < IDLE_STATE_BYTES + pending * PENDING_BYTES, `${rest.length} bytes of state`, state);
  must(state.answered.length <= 1_000 && state.confirmed.length <= 256, 'too much is remembered');
  must(!JSON.stringify(state).includes('CANARY'), 'the state holds content', state);
  for (const call of calls) {
    if (call.state === 'done') must(Object.keys(call.input).length === 0, 'the input of a finished call is kept', call);
  }
}

/** A call that may run runs, unless it waits for another shell call or for one of the places. */
function checkReady(state: SessionState): void {
  const calls = state.turn?.calls ?? [];
  const full = calls.filter((call) => call.state === 'running').length >= DEFAULT_SESSION_SETTINGS.maxParallelCalls;
  calls.forEach((call, index) => {
    if (call.state !== 'ready' || full) return;
    const shell = calls.slice(0, index).some((one) => one.name === 'bash' && /ready|running/.test(one.state));
    must(call.name === 'bash' && shell, 'a call could run and does not', call);
  });
}

/** Something that will come back keeps every busy session going. */
function checkMoving(state: SessionState, outstanding: Outstanding): void {
  const { turn, request } = state;
  if (!turn) return;
  const timer = (kind: StepInput['in']) => outstanding.timers.some((one) => one.input.in === kind);
  const running = turn.calls.filter((call) => call.state === 'running');
  for (const call of running) must(outstanding.calls.has(call.id), 'nobody runs a running call', call);
  switch (turn.phase) {
    case 'sampling':
      return must(outstanding.sample?.request === request, 'no model request is out', turn);
    case 'acting':
      return must(running.length > 0, 'acting, and nothing runs', turn);
    case 'backoff':
      return must(timer('woke'), 'nobody wakes it', turn);
    case 'grading':
      return must(outstanding.gradings.has(state.outcome?.evaluation ?? ''), 'nobody grades', turn);
    case 'collecting':
      return must(outstanding.collect !== undefined && timer('collectLate'), 'nobody ends the wait', turn);
    case 'stopping':
      return must(timer('graceOver'), 'nobody ends the grace', turn);
  }
}
