/**
 * The session as a pure state machine: `step(state, input)` says what is written to the log and what is to be done.
 * It never throws and never changes its argument. Temporal is not known here; the shell (`../session.ts`) is.
 */
import type { LogEntry } from '../../events/entry.ts';
import type { Checkpoint, SandboxRef } from '../../sandbox/hands.ts';
import type { ExecuteResult, SampleResult, SessionAnswer, SessionRequest, SessionSettings } from '../contract.ts';
import type { Grade } from '../grading-contract.ts';
import type { SessionState } from '../state.ts';
import { appendResult, appendToolError, closeCall, finish } from './calls.ts';
import { type Command, type Draft, Refusal } from './draft.ts';
import { giveUp, woke } from './failures.ts';
import { type Collected, collected, goIdle, unsaved } from './kept-files.ts';
import { graded, stillGrading } from './outcome.ts';
import { apply } from './requests.ts';
import { showError } from './status.ts';
import { endTurn, goOn, graceOver, sampled, startTurn } from './turn.ts';
import { woken } from './woken.ts';

/** How long a request's answer is remembered, ms. */
const ANSWER_KEPT_MS = 600_000;
const ANSWERS_KEPT = 1_000;
/** Events in all remembered answers: they are carried through continue-as-new, which has a limit of 2 MiB. */
const ANSWERED_EVENTS_KEPT = 2_000;

export type StepInput =
  | { in: 'request'; request: SessionRequest }
  | { in: 'sampled'; request: number; result: SampleResult }
  | { in: 'executed'; call: string; result: ExecuteResult; generation: number }
  /** The call's activity failed for good: no worker, or no answer in all the time it had. */
  | { in: 'executeFailed'; call: string; message: string; started: boolean }
  | { in: 'provisioned'; ref: SandboxRef; restored?: Checkpoint }
  /** The sandbox of that generation holds the session's read-only files as of `rev`. */
  | { in: 'broughtIn'; generation: number; rev: number }
  /** `changes` is the sandbox's count when the checkpoint was begun. */
  | { in: 'checkpointed'; generation: number; changes: number; checkpoint: Checkpoint | null }
  /** The files are more than a checkpoint may hold; `message` says so to people. */
  | { in: 'unsaved'; generation: number; message: string }
  | { in: 'released' }
  | Collected
  | { in: 'collectLate'; turn: number }
  /** `evaluation` is the id of its start. */
  | { in: 'graded'; evaluation: string; grade: Grade }
  | { in: 'stillGrading'; evaluation: string }
  | { in: 'woke'; request: number }
  | { in: 'graceOver'; turn: number }
  | { in: 'idleElapsed'; turn: number }
  /** The state was told from the log: whatever was under way is lost. */
  | { in: 'woken' };

export interface StepResult {
  state: SessionState;
  entries: LogEntry[];
  commands: Command[];
  /** Present for `request` inputs. */
  answer?: SessionAnswer;
}

/** @param now - ms since the epoch, from the workflow's clock. */
export function step(state: SessionState, input: StepInput, settings: SessionSettings, now: number): StepResult {
  const draft: Draft = { state: clone(state), settings, now, entries: [], commands: [] };
  try {
    const answer = take(draft, input);
    startTurn(draft);
    return { state: draft.state, entries: draft.entries, commands: draft.commands, ...(answer ? { answer } : {}) };
  } catch (error) {
    return afterBug(state, input, settings, now, error);
  }
}

function take(draft: Draft, input: StepInput): SessionAnswer | undefined {
  const { state } = draft;
  switch (input.in) {
    case 'request':
      return request(draft, input.request);
    case 'sampled':
      sampled(draft, input.request, input.result);
      return;
    case 'executed':
    case 'executeFailed':
      executed(draft, input);
      return;
    case 'provisioned':
      if (input.ref.generation <= state.sandbox.generation) return;
      state.sandbox.generation = input.ref.generation;
      state.sandbox.ref = input.ref;
      state.sandbox.inputs = undefined;
      state.sandbox.saved = state.sandbox.changes;
      for (const call of state.turn?.calls ?? []) if (call.state === 'running') state.sandbox.changes += 1;
      // Asked for by a person, or by a turn that was interrupted meanwhile: it is let go like any other that idles.
      if (!busy(state) && !state.ended)
        draft.commands.push({ do: 'idleTimer', ms: draft.settings.sandboxIdleMs, turn: state.turns });
      return;
    case 'broughtIn':
      if (state.sandbox.generation === input.generation) state.sandbox.inputs = input.rev;
      return;
    case 'checkpointed':
      if (state.sandbox.generation !== input.generation) return;
      state.sandbox.saved = Math.max(state.sandbox.saved, input.changes);
      if (input.checkpoint) state.sandbox.checkpoint = input.checkpoint;
      delete state.sandbox.tooLarge;
      return;
    case 'unsaved':
      if (state.sandbox.generation === input.generation) unsaved(draft, input.message);
      return;
    case 'released':
      state.sandbox.ref = undefined;
      return;
    case 'collected':
      collected(draft, input);
      return;
    case 'collectLate':
      goIdle(draft, input.turn);
      return;
    case 'graded':
      graded(draft, input.evaluation, input.grade);
      return;
    case 'stillGrading':
      stillGrading(draft, input.evaluation);
      return;
    case 'woke':
      woke(draft, input.request);
      return;
    case 'graceOver':
      graceOver(draft, input.turn);
      return;
    case 'woken':
      woken(draft);
      return;
    case 'idleElapsed':
      if (state.turns === input.turn && !busy(state) && !state.ended && state.sandbox.ref) {
        draft.commands.push({ do: 'release', save: state.sandbox.changes > state.sandbox.saved });
      }
      return;
  }
}

/** True while something other than a person must act. */
export function busy(state: SessionState): boolean {
  return state.turn !== null && state.turn.phase !== 'waiting';
}

/** True when the turn waits for nothing but one running call, whose end is followed by a model request. */
export function lastCallRuns({ turn }: SessionState): boolean {
  if (turn?.phase !== 'acting') return false;
  const open = turn.calls.filter((call) => call.state !== 'done');
  return open.length === 1 && open[0]?.state === 'running';
}

function request(draft: Draft, { id, op }: SessionRequest): SessionAnswer {
  const { state } = draft;
  const known = state.answered.find((one) => one.id === id);
  if (known) return known.answer;
  const answer: SessionAnswer = { ok: true, events: apply(draft, op) };
  state.answered = [...state.answered, { id, at: draft.now, answer }]
    .filter((one) => draft.now - one.at < ANSWER_KEPT_MS)
    .slice(-ANSWERS_KEPT);
  let events = state.answered.reduce((sum, one) => sum + eventsIn(one.answer), 0);
  while (events > ANSWERED_EVENTS_KEPT && state.answered.length > 1) {
    events -= eventsIn(state.answered.shift()?.answer);
  }
  return answer;
}

function eventsIn(answer: SessionAnswer | undefined): number {
  return answer?.ok ? answer.events.length : 0;
}

function executed(draft: Draft, input: Extract<StepInput, { in: 'executed' | 'executeFailed' }>): void {
  const { turn } = draft.state;
  const call = turn?.calls.find((one) => one.id === input.call);
  if (!turn || call?.state !== 'running') return;
  if (input.in === 'executed') {
    appendResult(draft, call, input.result, input.generation);
  } else {
    if (input.started) draft.state.sandbox.changes += 1;
    const known = input.started
      ? 'Whether it had effects cannot be known; it was not run again.'
      : 'It was not started and had no effect.';
    appendToolError(draft, call.id, `The call could not be completed: ${input.message}\n${known}`);
    finish(call);
  }
  if (turn.phase !== 'stopping') return goOn(draft);
  if (turn.calls.every((one) => one.state !== 'running')) endTurn(draft, { type: 'end_turn' });
}

/** A refused request keeps the old state; so does a bug, which also ends the turn in the open. */
function afterBug(
  state: SessionState,
  input: StepInput,
  settings: SessionSettings,
  now: number,
  error: unknown,
): StepResult {
  if (error instanceof Refusal) return { state, entries: [], commands: [], answer: error.answer };
  const message = `Internal error while handling "${input.in}": ${error instanceof Error ? error.message : String(error)}`;
  if (input.in === 'request') {
    return {
      state,
      entries: [],
      commands: [],
      answer: { ok: false, status: 400, type: 'invalid_request_error', message },
    };
  }
  const draft: Draft = { state: clone(state), settings, now, entries: [], commands: [] };
  showError(draft, 'unknown_error', message, 'exhausted');
  const { turn } = draft.state;
  if (turn) {
    const running = turn.calls.filter((call) => call.state === 'running').map((call) => call.id);
    if (running.length > 0) draft.commands.push({ do: 'stopCalls', ids: running });
    if (turn.span) draft.commands.push({ do: 'abortSample', request: draft.state.request });
    if (turn.phase === 'grading') draft.commands.push({ do: 'stopGrading' });
    for (const call of turn.calls) if (call.state !== 'done') closeCall(draft, call, message);
    giveUp(draft);
  }
  return { state: draft.state, entries: draft.entries, commands: draft.commands };
}

function clone(state: SessionState): SessionState {
  return JSON.parse(JSON.stringify(state)) as SessionState;
}
