/** A model request that failed: wait and ask again, or give the turn up. */
import type { FailureClass, SampleResult } from '../contract.ts';
import type { Turn } from '../state.ts';
import type { Draft } from './draft.ts';
import { showError, showRescheduled, showRunning } from './status.ts';
import { askModel, endTurn, takeQueue } from './turn.ts';

/** Summaries in a row that are made because the conversation does not fit: a second one would say the same. */
const MAX_COMPACTIONS = 1;
/** How often a request for a summary that does not fit is made again at half its size. */
const MAX_HALVINGS = 3;

/** The type of `session.error` for a class of failures. */
export const errorType = (of: FailureClass) => CLASSES[of].type;

/** How each class shows in `session.error`, and whether asking again may help. */
const CLASSES: Record<FailureClass, { type: Parameters<typeof showError>[1]; retry: boolean }> = {
  overloaded: { type: 'model_overloaded_error', retry: true },
  rate_limited: { type: 'model_rate_limited_error', retry: true },
  connection: { type: 'model_request_failed_error', retry: true },
  crashed: { type: 'unknown_error', retry: false },
  request_failed: { type: 'model_request_failed_error', retry: false },
  authentication: { type: 'model_request_failed_error', retry: false },
  billing: { type: 'billing_error', retry: false },
  harness: { type: 'unknown_error', retry: false },
  too_long: { type: 'compaction_limit_reached_error', retry: false },
};

export function modelFailed(draft: Draft, failure: Extract<SampleResult, { ok: false }>): void {
  const { state, settings } = draft;
  const { turn } = state;
  if (!turn) return;
  const { type, retry } = CLASSES[failure.class];
  if (failure.class === 'too_long' && makesRoom(turn)) {
    state.compactNext = true;
    return askModel(draft);
  }
  turn.failures += 1;
  if (retry && turn.failures < settings.retryLimit) {
    // A summary that is asked for again is still a summary.
    state.compactNext = turn.compacting;
    showError(draft, type, failure.message, 'retrying');
    showRescheduled(draft);
    turn.phase = 'backoff';
    const backoff = Math.min(settings.retryMaxMs, settings.retryInitialMs * 2 ** (turn.failures - 1));
    draft.commands.push({ do: 'sleep', ms: Math.max(backoff, failure.retryAfterMs ?? 0), request: state.request });
    return;
  }
  showError(draft, type, failure.message, 'exhausted');
  giveUp(draft);
}

/** The window was full before the usage said so: summarise, then go on; a summary that does not fit is halved. */
function makesRoom(turn: Turn): boolean {
  if (turn.compacting) {
    turn.halvings += 1;
    return turn.halvings <= MAX_HALVINGS;
  }
  turn.compactions += 1;
  return turn.compactions <= MAX_COMPACTIONS;
}

/** The turn is dead: inputs that waited behind it are taken as read, and the session idles. */
export function giveUp(draft: Draft): void {
  const { state } = draft;
  state.compactNext = false;
  takeQueue(draft);
  endTurn(draft, { type: 'retries_exhausted' });
}

/** The pause after a failure is over. */
export function woke(draft: Draft, request: number): void {
  const { state } = draft;
  if (state.turn?.phase !== 'backoff' || state.request !== request) return;
  showRunning(draft);
  askModel(draft);
}
