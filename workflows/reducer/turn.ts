/** The turn: start, ask the model, act on the reply, end. */
import type { StopDetails, StopReason } from '../../events/wire.ts';
import type { SampleResult } from '../contract.ts';
import type { Call, SessionState, Turn } from '../state.ts';
import { appendReply, appendToolError, closeCall, finish } from './calls.ts';
import { append, type Command, type Draft, markProcessed } from './draft.ts';
import { giveUp, modelFailed } from './failures.ts';
import { goIdle, outputsFirst } from './kept-files.ts';
import {
  beginOutcome,
  callOffOutcome,
  goesOnForOutcome,
  isPending,
  leaveOutcome,
  INTERRUPTED as OUTCOME_INTERRUPTED,
} from './outcome.ts';
import { showError, showIdle, showRunning } from './status.ts';
import { addUsage, NO_TOKENS } from './usage.ts';

/** Replies in a row that may be cut off at the output limit before the turn ends. */
const MAX_CUT_OFFS = 3;
/** How long an interrupt waits for a model request and for running commands, ms. */
const SAMPLE_GRACE_MS = 1_000;
const EXECUTE_GRACE_MS = 5_000;
const SHELL = 'bash';
export const INTERRUPTED = 'The user interrupted before this call completed.';

/** Starts a turn with all that is queued, if something is and no turn is open. Every step ends with it. */
export function startTurn(draft: Draft): void {
  const { state } = draft;
  const asked = state.queue.some((queued) => queued.type === 'user.message') || isPending(state);
  if (state.turn || state.ended || !asked) return;
  state.turns += 1;
  state.turn = newTurn();
  showRunning(draft);
  takeQueue(draft);
  askModel(draft);
}

export function newTurn(): Turn {
  return {
    phase: 'sampling',
    calls: [],
    failures: 0,
    cutOffs: 0,
    compactions: 0,
    halvings: 0,
    compacting: false,
    interrupts: [],
  };
}

/** What has waited is taken in: the next model request shows it. */
export function takeQueue(draft: Draft): void {
  for (const queued of draft.state.queue) markProcessed(draft, queued.seq);
  draft.state.queue = [];
}

/** Opens a model request: its span in the log, its command to the shell. */
export function askModel(draft: Draft): void {
  const { state } = draft;
  if (!state.turn) return;
  state.turn.compacting = state.compactNext;
  state.compactNext = false;
  state.request += 1;
  state.turn.phase = 'sampling';
  state.turn.span = append(draft, { type: 'span.model_request_start' });
  draft.commands.push(...openRequest(state));
  beginOutcome(draft);
}

/** The command for the model request that is open, if one is: also for a run that takes it over from the last one. */
export function openRequest({ turn, request }: SessionState): Extract<Command, { do: 'sample' }>[] {
  if (turn?.phase !== 'sampling' || !turn.span) return [];
  const compact = turn.compacting ? { compact: { halvings: turn.halvings } } : {};
  return [{ do: 'sample', request, startSeq: turn.span.seq, ...compact }];
}

/** A model request has come back. Late answers of requests that were given up are ignored. */
export function sampled(draft: Draft, request: number, result: SampleResult): void {
  const { state } = draft;
  const { turn } = state;
  if (!turn?.span || request !== state.request) return;
  const stopping = turn.phase === 'stopping';
  if (!result.ok) {
    closeSpan(draft, true, result.usage);
    if (stopping) return endTurn(draft, { type: 'end_turn' });
    return modelFailed(draft, result);
  }
  turn.failures = 0;
  if (result.stop !== 'compacted') {
    turn.compactions = 0;
    turn.halvings = 0;
  }
  const { open, denied } = appendReply(draft, result.events, result.calls);
  closeSpan(draft, false, result.usage, result.cacheCreation);
  for (const { id, message } of denied) appendToolError(draft, id, message);
  state.compactNext = result.compactNext === true;
  turn.calls = open;

  if (stopping || result.stop === 'interrupted') {
    for (const call of open) closeCall(draft, call, INTERRUPTED);
    return endTurn(draft, { type: 'end_turn' });
  }
  turn.cutOffs = result.stop === 'max_tokens' ? turn.cutOffs + 1 : 0;
  switch (result.stop) {
    case 'tool_use':
      // The provider does not send this without a call; asking again about nothing would have no end.
      return turn.calls.length + denied.length > 0 ? goOn(draft) : endTurn(draft, { type: 'end_turn' });
    case 'pause_turn':
      return goOn(draft);
    case 'compacted':
      for (const call of open) closeCall(draft, call, 'A summary runs no calls.');
      return askModel(draft);
    case 'max_tokens':
      for (const call of open) {
        closeCall(
          draft,
          call,
          'The reply was cut off at the output limit, so none of its calls were run. Use smaller steps.',
        );
      }
      if (open.length + denied.length > 0 && turn.cutOffs <= MAX_CUT_OFFS) return askModel(draft);
      return endTurn(draft, { type: 'end_turn' });
    case 'refusal':
      for (const call of open) closeCall(draft, call, 'The reply was refused; none of its calls were run.');
      return endTurn(draft, { type: 'refusal' }, result.stopDetails ?? null);
    case 'unknown':
      for (const call of open) closeCall(draft, call, 'The reply ended in an unknown way; none of its calls were run.');
      showError(
        draft,
        'unknown_error',
        `The model ended its reply with an unknown stop reason: ${result.stopRaw}.`,
        'exhausted',
      );
      return giveUp(draft);
    default:
      // A reply that ends its turn runs no calls; the provider does not send this, but nothing may stay open.
      for (const call of open) closeCall(draft, call, 'The reply ended the turn, so this call was not run.');
      return endTurn(draft, { type: 'end_turn' });
  }
}

/** True when answers that people gave may change what the turn does. */
export function mayGoOn({ turn }: SessionState): boolean {
  if (turn?.phase === 'waiting' || turn?.phase === 'acting') return true;
  // It has yet to say that it waits for people: not when there is nothing left to wait for.
  if (turn?.phase !== 'collecting' || turn.idle) return false;
  const asked = turn.calls.some((call) => call.state === 'ask' || call.state === 'custom');
  return !asked || turn.calls.some((call) => call.state === 'ready');
}

/** Decides what the open calls allow: run more, wait for people, or ask the model again. */
export function goOn(draft: Draft): void {
  const { state, settings } = draft;
  const { turn } = state;
  if (!turn) return;
  const running = turn.calls.filter((call) => call.state === 'running').length;
  const ready = turn.calls
    .filter((call, index) => call.state === 'ready' && !waitsForShell(turn.calls, index))
    .slice(0, settings.maxParallelCalls - running);
  if (ready.length > 0 || running > 0) {
    showRunning(draft);
    turn.phase = 'acting';
    for (const call of ready) {
      call.state = 'running';
      state.sandbox.changes += 1;
      draft.commands.push({ do: 'execute', call: { ...call } });
    }
    return;
  }
  const pending = turn.calls.filter((call) => call.state === 'ask' || call.state === 'custom');
  if (pending.length > 0) {
    if (outputsFirst(draft)) return;
    turn.phase = 'waiting';
    // People may take days: the sandbox does not wait for them.
    if (state.sandbox.ref) draft.commands.push({ do: 'idleTimer', ms: settings.sandboxIdleMs, turn: state.turns });
    return showIdle(draft, { type: 'requires_action', event_ids: pending.map((call) => call.id) });
  }
  showRunning(draft);
  turn.calls = [];
  takeRemarks(draft);
  askModel(draft);
}

/** System messages that came with a result are taken in with it: after all results of the reply, before the next one. */
function takeRemarks(draft: Draft): void {
  const { state } = draft;
  for (const queued of state.queue) if (queued.withResult) markProcessed(draft, queued.seq);
  state.queue = state.queue.filter((queued) => !queued.withResult);
}

/** The shell's calls depend on one another (directory, variables): they run in the order of the reply. */
function waitsForShell(calls: Call[], index: number): boolean {
  if (calls[index]?.name !== SHELL) return false;
  return calls.slice(0, index).some((one) => one.name === SHELL && (one.state === 'ready' || one.state === 'running'));
}

/** Ends the turn; what is queued starts the next one at the end of the step. */
export function endTurn(draft: Draft, reason: StopReason, details: StopDetails = null): void {
  if (draft.state.turn?.span) closeSpan(draft, true);
  if (reason.type === 'end_turn' && goesOnForOutcome(draft)) return;
  leaveOutcome(draft, reason);
  if (!outputsFirst(draft, { reason, details })) closeTurn(draft, reason, details);
}

/** The turn is over, and so is the wait for what it made. */
export function closeTurn(draft: Draft, reason: StopReason, details: StopDetails): void {
  const { state, settings } = draft;
  const interrupts = state.turn?.interrupts ?? [];
  state.turn = null;
  for (const seq of interrupts) markProcessed(draft, seq);
  showIdle(draft, reason, details);
  if (state.sandbox.ref) {
    if (state.sandbox.changes > state.sandbox.saved) draft.commands.push({ do: 'checkpoint' });
    draft.commands.push({ do: 'idleTimer', ms: settings.sandboxIdleMs, turn: state.turns });
  }
}

/** The user wants the turn to stop. */
export function interrupt(draft: Draft, seq: number): void {
  const { state } = draft;
  const { turn } = state;
  if (!turn) {
    callOffOutcome(draft, OUTCOME_INTERRUPTED);
    return markProcessed(draft, seq);
  }
  turn.interrupts.push(seq);
  if (turn.phase === 'stopping') return;
  // Over already, but for its outputs: they follow.
  if (turn.phase === 'collecting' && turn.idle) {
    callOffOutcome(draft, OUTCOME_INTERRUPTED);
    return closeTurn(draft, turn.idle.reason, turn.idle.details);
  }
  for (const call of turn.calls) {
    if (call.state === 'ask' || call.state === 'custom' || call.state === 'ready') closeCall(draft, call, INTERRUPTED);
  }
  const running = turn.calls.filter((call) => call.state === 'running').map((call) => call.id);
  if (turn.phase === 'sampling') {
    turn.phase = 'stopping';
    draft.commands.push({ do: 'abortSample', request: state.request }, graceTimer(draft, SAMPLE_GRACE_MS));
  } else if (turn.phase === 'grading') {
    turn.phase = 'stopping';
    draft.commands.push({ do: 'stopGrading' }, graceTimer(draft, SAMPLE_GRACE_MS));
  } else if (running.length > 0) {
    turn.phase = 'stopping';
    draft.commands.push({ do: 'stopCalls', ids: running }, graceTimer(draft, EXECUTE_GRACE_MS));
  } else {
    endTurn(draft, { type: 'end_turn' });
  }
}

/** The grace of an interrupt is over: what still runs is given up. */
export function graceOver(draft: Draft, number: number): void {
  const { turn, turns } = draft.state;
  if (turn?.phase !== 'stopping' || turns !== number) return;
  const givenUp = turn.calls.filter((call) => call.state === 'running');
  for (const call of givenUp) {
    appendToolError(draft, call.id, 'The user interrupted. The command did not stop in time and may still be running.');
    finish(call);
  }
  endTurn(draft, { type: 'end_turn' });
  // Hands that stop no command bring no outputs either: these follow, when they can.
  if (givenUp.length > 0) goIdle(draft, number);
}

function graceTimer(draft: Draft, ms: number) {
  return { do: 'grace' as const, ms, turn: draft.state.turns };
}

/** Ends the open request's span and adds its tokens up. */
export function closeSpan(
  draft: Draft,
  isError: boolean,
  usage?: Extract<SampleResult, { ok: true }>['usage'],
  cacheCreation?: Extract<SampleResult, { ok: true }>['cacheCreation'],
): void {
  const { turn } = draft.state;
  if (!turn?.span) return;
  const model_usage = usage ?? NO_TOKENS;
  append(draft, {
    type: 'span.model_request_end',
    model_request_start_id: turn.span.id,
    is_error: isError,
    model_usage,
  });
  turn.span = undefined;
  addUsage(draft, model_usage, cacheCreation);
}
