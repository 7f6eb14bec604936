/** A session goes on after its workflow was lost: nothing that it had under way will ever answer. */
import type { Call } from '../state.ts';
import { appendToolError, closeCall, finish } from './calls.ts';
import type { Draft } from './draft.ts';
import { gradeAgain } from './outcome.ts';
import { closeSpan, endTurn, goOn, INTERRUPTED } from './turn.ts';

const LOST =
  'The session was lost while this call was open, and has been started again. Whether the call had effects cannot be ' +
  'known; it was not run again, and if it was still running it has been stopped. Check before you repeat it.';

export function woken(draft: Draft): void {
  const { state } = draft;
  const { turn } = state;
  const asks = turn?.calls.some((call) => call.state === 'ask' || call.state === 'custom');
  if (!turn || (turn.phase === 'waiting' && asks)) {
    if (state.sandbox.ref) {
      draft.commands.push({ do: 'idleTimer', ms: draft.settings.sandboxIdleMs, turn: state.turns });
    }
    return;
  }
  const over = turn.idle !== undefined || (turn.phase === 'acting' && turn.calls.length === 0);
  if (turn.span) closeSpan(draft, true);
  const lost = turn.calls.filter((call) => call.state === 'running' || call.state === 'ready');
  for (const call of lost) giveUpCall(draft, call);
  // Nobody waits for them any more, and the shell's next call would. Without a known sandbox there is no old one to keep.
  if (lost.length > 0 && state.sandbox.ref) {
    draft.commands.push({ do: 'stopCalls', ids: lost.map((call) => call.id) });
  }
  if (turn.interrupts.length > 0) {
    for (const call of turn.calls) if (call.state !== 'done') closeCall(draft, call, INTERRUPTED);
    return endTurn(draft, { type: 'end_turn' });
  }
  if (turn.phase === 'grading') return gradeAgain(draft);
  // The reply was there and called nothing: the turn was over but for its outputs.
  if (over) return endTurn(draft, turn.idle?.reason ?? { type: 'end_turn' });
  goOn(draft);
}

function giveUpCall(draft: Draft, call: Call): void {
  draft.state.sandbox.changes += 1;
  appendToolError(draft, call.id, LOST);
  finish(call);
}
