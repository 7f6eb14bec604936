/**
 * The outcome loop: what the agent makes is graded, and it goes on until the rubric is met, the iterations are used up,
 * or someone ends it. It lives inside one turn: the session shows `running` from the first request to the end.
 */

import { isEventEntry, type OutcomePatch, type PrivatePart } from '../../events/entry.ts';
import { eventIdAt, outcomeIdAt } from '../../events/ids.ts';
import type { SessionEvent, StopReason } from '../../events/wire.ts';
import type { AcceptedEvent, PreparedEvent } from '../contract.ts';
import type { Evaluation, Grade } from '../grading-contract.ts';
import type { Outcome, SessionState } from '../state.ts';
import { append, appendWhole, type Draft, Refusal, stamp } from './draft.ts';
import { errorType, giveUp } from './failures.ts';
import { showError } from './status.ts';
import { askModel, endTurn, takeQueue } from './turn.ts';
import { addUsage, NO_TOKENS } from './usage.ts';

/** Evaluations of an outcome that does not say how many. */
export const DEFAULT_ITERATIONS = 3;
export const INTERRUPTED = 'The user interrupted.';

type Definition = Extract<PreparedEvent['event'], { type: 'user.define_outcome' }>;
type Verdict = Extract<Grade, { kind: 'verdict' }>;
type End = Verdict['result'] | 'max_iterations_reached' | 'interrupted';

/** Takes a definition in; the work begins with the next model request. @throws Refusal while another one is open. */
export function defineOutcome(draft: Draft, event: Definition, { blobs, grader }: PreparedEvent): AcceptedEvent {
  const { state } = draft;
  const open = openOutcome(state);
  if (open && state.turn?.interrupts.some((seq) => seq > open.seq)) {
    // It has just been interrupted: its end need not wait for what still runs.
    callOffOutcome(draft, INTERRUPTED);
  } else if (open) {
    throw new Refusal(
      `type: outcome ${open.id} is still ${open.result}; a session has one at a time. Wait for its end, or send user.interrupt.`,
    );
  }
  const { thread, seq } = state;
  const outcome_id = outcomeIdAt(thread, seq);
  const id = eventIdAt(thread, seq);
  const processed_at = stamp(draft);
  const max_iterations = event.max_iterations ?? null;
  appendWhole(draft, { ...event, max_iterations, outcome_id, id, processed_at } as SessionEvent, {
    blobs,
    ...(grader && Object.keys(grader).length > 0 ? { private: { grader: { ...grader } } } : {}),
  });
  state.outcome = {
    id: outcome_id,
    seq,
    maxIterations: max_iterations ?? DEFAULT_ITERATIONS,
    grader: grader ?? {},
    iteration: 0,
    result: 'pending',
  };
  noteChange(draft, state.outcome);
  return { id, seq, processed_at, outcome_id };
}

/** True when there is an outcome that no model request has shown yet. */
export function isPending(state: SessionState): boolean {
  return state.outcome?.result === 'pending';
}

/** A model request has been opened: it shows the outcome to the agent. */
export function beginOutcome(draft: Draft): void {
  const { outcome } = draft.state;
  if (outcome?.result !== 'pending') return;
  outcome.result = 'running';
  noteChange(draft, outcome);
}

/**
 * The agent would end its turn. While an outcome is open it does not: what it has not seen yet comes first, then the
 * grader. @returns false when the turn may end.
 */
export function goesOnForOutcome(draft: Draft): boolean {
  const { state } = draft;
  const outcome = openOutcome(state);
  if (!outcome || outcome.evaluation || !state.turn || state.turn.interrupts.length > 0) return false;
  if (outcome.result === 'pending' || state.queue.some((queued) => queued.type === 'user.message')) {
    takeQueue(draft);
    askModel(draft);
  } else {
    evaluate(draft, outcome);
  }
  return true;
}

function evaluate(draft: Draft, outcome: Outcome): void {
  const { state } = draft;
  if (!state.turn) return;
  const { id, iteration } = outcome;
  const start = append(draft, { type: 'span.outcome_evaluation_start', outcome_id: id, iteration });
  outcome.replySeqs = draft.entries.flatMap((entry) =>
    isEventEntry(entry) && entry.event.type === 'agent.message' ? [entry.seq] : [],
  );
  state.turn.phase = 'grading';
  state.turn.calls = [];
  outcome.result = 'evaluating';
  outcome.evaluation = start.id;
  noteChange(draft, outcome);
  draft.commands.push({ do: 'grade', evaluation: evaluationOf(outcome, start.id) });
}

function evaluationOf({ id, seq: defineSeq, iteration, replySeqs = [], grader }: Outcome, start: string): Evaluation {
  return { id: start, outcome: id, iteration, defineSeq, replySeqs, grader };
}

/** The open evaluation was lost with its session: it is begun again, with a sign of life. */
export function gradeAgain(draft: Draft): void {
  const { outcome } = draft.state;
  if (!outcome?.evaluation) return;
  stillGrading(draft, outcome.evaluation);
  const evaluation = { ...evaluationOf(outcome, outcome.evaluation), again: draft.state.seq };
  draft.commands.push({ do: 'grade', evaluation });
}

export function stillGrading(draft: Draft, evaluation: string): void {
  const { outcome, turn } = draft.state;
  if (outcome?.evaluation !== evaluation || turn?.phase !== 'grading') return;
  append(draft, {
    type: 'span.outcome_evaluation_ongoing',
    outcome_id: outcome.id,
    iteration: outcome.iteration,
  });
}

/** An evaluation has come to its end. What a late one has cost counts all the same. */
export function graded(draft: Draft, evaluation: string, grade: Grade): void {
  const { state } = draft;
  const { outcome, turn } = state;
  addUsage(draft, grade.usage);
  if (!outcome || outcome.evaluation !== evaluation || !turn) return;
  outcome.spent = grade.usage;
  if (turn.phase === 'stopping') return endTurn(draft, { type: 'end_turn' });
  const judged = grade.judged ? { judged: grade.judged.sha256 } : {};
  switch (grade.kind) {
    case 'stopped':
      return failed(draft, outcome, 'unknown_error', 'The evaluation was stopped from outside.', judged);
    case 'error':
      return failed(draft, outcome, errorType(grade.class), grade.message, judged);
    default:
  }
  const extra = { private: judged, ...(grade.blobs ? { blobs: grade.blobs } : {}) };
  if (grade.result !== 'needs_revision') {
    closeOutcome(draft, outcome, grade.result, grade.explanation, extra);
    return endTurn(draft, { type: 'end_turn' });
  }
  if (outcome.iteration + 1 >= outcome.maxIterations) {
    // One more request, so that the agent can say where things stand; nothing is graded after it.
    closeOutcome(draft, outcome, 'max_iterations_reached', grade.explanation, extra);
    return askModel(draft);
  }
  outcome.explained = endSpan(draft, outcome, 'needs_revision', grade.explanation, extra);
  outcome.evaluation = undefined;
  outcome.spent = undefined;
  outcome.iteration += 1;
  outcome.result = 'running';
  noteChange(draft, outcome);
  takeQueue(draft);
  askModel(draft);
}

function failed(
  draft: Draft,
  outcome: Outcome,
  type: Parameters<typeof showError>[1],
  message: string,
  hidden: PrivatePart,
): void {
  showError(draft, type, `The outcome could not be graded: ${message}`, 'exhausted');
  closeOutcome(draft, outcome, 'failed', `There was no verdict: ${message}`, { private: hidden });
  giveUp(draft);
}

/** The turn ends for good: an outcome that is still open ends with it. */
export function leaveOutcome(draft: Draft, reason: StopReason): void {
  const outcome = openOutcome(draft.state);
  if (!outcome) return;
  // An interrupt means what was there before it.
  if (draft.state.turn?.interrupts.some((seq) => seq > outcome.seq)) callOffOutcome(draft, INTERRUPTED);
  // Defined behind the turn's back: it has its own turn.
  else if (outcome.result !== 'pending') {
    closeOutcome(draft, outcome, 'failed', `The agent could not go on: its turn ended with ${reason.type}.`);
  }
}

/** Ends an outcome that is open while no turn is: what was to do it has been called off. */
export function callOffOutcome(draft: Draft, why: string): void {
  const outcome = openOutcome(draft.state);
  if (outcome) closeOutcome(draft, outcome, 'interrupted', why);
}

/** Appends the outcome's last event. @param extra - for that event. */
function closeOutcome(
  draft: Draft,
  outcome: Outcome,
  result: End,
  explanation: string,
  extra: Parameters<typeof append>[2] = {},
): void {
  outcome.explained = endSpan(draft, outcome, result, explanation, extra);
  outcome.result = result as Outcome['result'];
  outcome.evaluation = undefined;
  outcome.spent = undefined;
  noteChange(draft, outcome);
}

function endSpan(
  draft: Draft,
  outcome: Outcome,
  result: End,
  explanation: string,
  extra: Parameters<typeof append>[2],
): number {
  const { seq } = append(
    draft,
    {
      type: 'span.outcome_evaluation_end',
      // Empty where no evaluation had begun.
      outcome_evaluation_start_id: outcome.evaluation ?? '',
      outcome_id: outcome.id,
      iteration: outcome.iteration,
      result,
      explanation,
      usage: outcome.spent ?? NO_TOKENS,
    },
    extra,
  );
  return seq;
}

function openOutcome({ outcome }: SessionState): Outcome | undefined {
  const open = outcome?.result === 'pending' || outcome?.result === 'running' || outcome?.result === 'evaluating';
  return open ? outcome : undefined;
}

/** The newest entry carries where the outcome stands now: so the list of outcomes is a copy of the log, as all is. */
function noteChange(draft: Draft, outcome: Outcome): void {
  const entry = draft.entries.findLast(isEventEntry);
  if (!entry) return;
  const ended = openOutcome({ ...draft.state, outcome }) === undefined;
  const patch: OutcomePatch = {
    outcome_id: outcome.id,
    define_seq: outcome.seq,
    result: outcome.result,
    iteration: outcome.iteration,
    explained_seq: outcome.explained ?? null,
    completed_at: ended ? (entry.event.processed_at ?? null) : null,
  };
  const { row } = entry.private ?? {};
  entry.private = { ...entry.private, row: { ...row, outcomes: [...(row?.outcomes ?? []), patch] } };
}
