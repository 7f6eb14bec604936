/** What the tool server's states of a call mean for the hands, the same for every provider. */
import type { CallOutcome, ToolCall } from './hands.ts';
import type { CallState } from './server/protocol.ts';

/** Past its deadline a call should have ended by itself; this much later the sandbox counts as broken, milliseconds. */
const OVERDUE_MS = 45_000;

/** Whether a call should long have ended by itself: its sandbox is broken. */
export function isOverdue(
  state: Extract<CallState, { state: 'accepted' | 'started' }>,
  { deadlineMs }: ToolCall,
): boolean {
  return state.state === 'started' && Date.now() > Date.parse(state.startedAt) + deadlineMs + OVERDUE_MS;
}

/** How a call that has ended is told. */
export function outcomeOf(state: Extract<CallState, { state: 'finished' | 'unknown' }>): CallOutcome {
  if (state.state === 'unknown') return { kind: 'unknown', message: state.message };
  const { content, isError, startedAt, finishedAt } = state;
  return { kind: 'finished', content, isError, startedAt, finishedAt };
}
