/**
 * What a session's workflow remembered, told from its log: for a session whose workflow is gone. Entry by entry, so that
 * nobody holds the log. Pure; what the log does not say (tokens, the sandbox, request ids) is added by whoever calls.
 */
import { type EventEntry, isEventEntry, type LogEntry } from '../../events/entry.ts';
import type { EventOf, SessionEvent } from '../../events/wire.ts';
import type { Call, Outcome, SessionState, Turn } from '../state.ts';
import { finish } from './calls.ts';
import { DEFAULT_ITERATIONS } from './outcome.ts';
import { CONFIRMED_KEPT } from './requests.ts';
import { newTurn } from './turn.ts';

/**
 * Takes the entry with seq `state.seq` into the state, which is changed.
 * @throws Error when it is another one.
 */
export function recall(state: SessionState, entry: LogEntry): void {
  if (entry.seq !== state.seq) throw new Error(`Expected entry ${state.seq} of the log, got ${entry.seq}.`);
  state.seq += 1;
  const stamp = isEventEntry(entry) ? entry.event.processed_at : entry.processed_at;
  if (stamp) state.lastAt = Math.max(state.lastAt, Date.parse(stamp));
  if (!isEventEntry(entry)) recallProcessed(state, entry.of);
  else if (entry.event.type === 'agent.tool_use' || entry.event.type === 'agent.custom_tool_use') {
    state.turn?.calls.push(callOf(entry.event, entry.blobs));
  } else {
    if (entry.private?.row?.metadata) state.metadataSeq = entry.seq;
    if (entry.event.type === 'user.define_outcome') state.outcome = outcomeOf(entry.event, entry);
    if (!entry.private?.aside) recallEvent(state, entry.event, entry.seq);
  }
}

function recallProcessed(state: SessionState, of: number): void {
  state.queue = state.queue.filter((queued) => queued.seq !== of);
  if (state.turn) state.turn.interrupts = state.turn.interrupts.filter((seq) => seq !== of);
}

function recallEvent(state: SessionState, event: SessionEvent, seq: number): void {
  const { turn } = state;
  switch (event.type) {
    case 'user.message':
    case 'system.message':
      if (event.processed_at == null) state.queue.push({ seq, type: event.type });
      return;
    case 'user.interrupt':
      if (event.processed_at == null) turn?.interrupts.push(seq);
      return;
    case 'user.tool_confirmation':
      state.confirmed = [...state.confirmed, event.tool_use_id].slice(-CONFIRMED_KEPT);
      // Allowed, it may have begun; denied, its result comes next.
      return settle(turn, event.tool_use_id, 'running');
    case 'agent.tool_result':
      return settle(turn, event.tool_use_id, 'done');
    case 'user.custom_tool_result':
      return settle(turn, event.custom_tool_use_id, 'done');
    case 'span.model_request_start':
      state.request += 1;
      if (turn)
        Object.assign(turn, { phase: 'sampling', calls: [], span: { id: event.id, seq } } satisfies Partial<Turn>);
      if (state.outcome?.result === 'pending') state.outcome.result = 'running';
      if (state.outcome) state.outcome.replySeqs = [];
      return;
    case 'agent.message':
      state.outcome?.replySeqs?.push(seq);
      return;
    case 'span.model_request_end':
      // After a failure it is asked again.
      if (turn)
        Object.assign(turn, { phase: event.is_error ? 'sampling' : 'acting', span: undefined } satisfies Partial<Turn>);
      return;
    case 'span.outcome_evaluation_start':
    case 'span.outcome_evaluation_end':
      return recallEvaluation(state, event, seq);
    default:
      return recallStatus(state, event);
  }
}

function outcomeOf(
  { outcome_id, max_iterations }: EventOf<'user.define_outcome'>,
  { seq, private: hidden }: EventEntry,
): Outcome {
  const maxIterations = max_iterations ?? DEFAULT_ITERATIONS;
  const grader = (hidden?.grader ?? {}) as Outcome['grader'];
  return { id: outcome_id, seq, maxIterations, grader, iteration: 0, result: 'pending' };
}

function recallEvaluation(
  { outcome, turn }: SessionState,
  event: EventOf<'span.outcome_evaluation_start' | 'span.outcome_evaluation_end'>,
  seq: number,
): void {
  if (outcome?.id !== event.outcome_id) return;
  if (event.type === 'span.outcome_evaluation_start') {
    outcome.evaluation = event.id;
    outcome.result = 'evaluating';
    if (turn) Object.assign(turn, { phase: 'grading', calls: [] } satisfies Partial<Turn>);
    return;
  }
  outcome.evaluation = undefined;
  outcome.explained = seq;
  if (event.result === 'needs_revision') {
    outcome.iteration += 1;
    outcome.result = 'running';
  } else outcome.result = event.result as Outcome['result'];
  if (turn?.phase === 'grading') turn.phase = 'acting';
}

function recallStatus(state: SessionState, event: SessionEvent): void {
  switch (event.type) {
    case 'session.status_running':
      state.status = 'running';
      state.runningSince ??= state.lastAt;
      if (state.turn) state.turn.phase = state.turn.phase === 'backoff' ? 'sampling' : 'acting';
      else {
        state.turns += 1;
        state.turn = newTurn();
      }
      return;
    case 'session.status_rescheduled':
      state.status = 'rescheduling';
      state.runningSince = null;
      if (state.turn) state.turn.phase = 'backoff';
      return;
    case 'session.status_idle':
      state.status = 'idle';
      state.runningSince = null;
      if (event.stop_reason.type !== 'requires_action') state.turn = null;
      else if (state.turn) Object.assign(state.turn, { phase: 'waiting', idle: undefined } satisfies Partial<Turn>);
      return;
    case 'session.error':
      // Shown just before the idle that it leads to, which may have been lost.
      if (state.turn && event.error.retry_status.type === 'exhausted') {
        state.turn.idle ??= { reason: { type: 'retries_exhausted' }, details: null };
      }
      return;
    case 'session.status_terminated':
      state.status = 'terminated';
      state.runningSince = null;
      state.turn = null;
      state.ended = { how: 'archived', at: state.lastAt };
  }
}

function callOf(event: Extract<SessionEvent, { type: `agent.${string}tool_use` }>, blobs: Call['inputBlobs']): Call {
  const { id, name, input } = event;
  const timeout = input.timeout_ms;
  return {
    id,
    name,
    summary: name,
    input,
    ...(blobs?.length ? { inputBlobs: blobs } : {}),
    timeoutMs: typeof timeout === 'number' ? timeout : 0,
    state: stateOf(event),
  };
}

/** Nothing in the log says whether an allowed call has begun, so it counts as begun: it must not run twice. */
function stateOf(event: Extract<SessionEvent, { type: `agent.${string}tool_use` }>): Call['state'] {
  if (event.type === 'agent.custom_tool_use') return 'custom';
  switch (event.evaluated_permission) {
    case 'ask':
      return 'ask';
    case 'deny':
      return 'done';
    default:
      return 'running';
  }
}

function settle(turn: Turn | null, id: string, to: 'running' | 'done'): void {
  const call = turn?.calls.find((one) => one.id === id);
  if (!call) return;
  if (to === 'done') finish(call);
  else call.state = to;
}
