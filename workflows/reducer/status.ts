/** The session's status events, in the order that clients rely on. */
import type { SessionError, StopDetails, StopReason } from '../../events/wire.ts';
import { append, type Draft } from './draft.ts';

/** `session.status_running`, then the thread's. Nothing when it is running already. */
export function showRunning(draft: Draft): void {
  const { state } = draft;
  if (state.status === 'running') return;
  state.status = 'running';
  state.runningSince ??= draft.now;
  append(draft, { type: 'session.status_running' });
  append(draft, {
    type: 'session.thread_status_running',
    session_thread_id: state.thread,
    agent_name: state.agent.name,
  });
}

/** The thread's idle, `session.usage`, then `session.status_idle`; the two idles with the same reason. */
export function showIdle(draft: Draft, stop_reason: StopReason, stop_details: StopDetails = null): void {
  const { state } = draft;
  state.status = 'idle';
  stopClock(draft);
  append(draft, {
    type: 'session.thread_status_idle',
    session_thread_id: state.thread,
    agent_name: state.agent.name,
    stop_reason,
    stop_details,
  });
  append(draft, { type: 'session.usage', usage: usageSnapshot(draft), budget: null });
  append(draft, { type: 'session.status_idle', stop_reason, stop_details });
}

export function showRescheduled(draft: Draft): void {
  draft.state.status = 'rescheduling';
  stopClock(draft);
  append(draft, { type: 'session.status_rescheduled' });
  append(draft, {
    type: 'session.thread_status_rescheduled',
    session_thread_id: draft.state.thread,
    agent_name: draft.state.agent.name,
  });
}

export function showTerminated(draft: Draft): void {
  draft.state.status = 'terminated';
  stopClock(draft);
  append(draft, {
    type: 'session.thread_status_terminated',
    session_thread_id: draft.state.thread,
    agent_name: draft.state.agent.name,
  });
  append(draft, { type: 'session.status_terminated' });
}

export function showError(
  draft: Draft,
  type: Extract<
    SessionError['type'],
    `model_${string}` | 'unknown_error' | 'billing_error' | 'compaction_limit_reached_error'
  >,
  message: string,
  retry: 'retrying' | 'exhausted' | 'terminal',
): void {
  append(draft, { type: 'session.error', error: { type, message, retry_status: { type: retry } } });
}

function stopClock(draft: Draft): void {
  const { state } = draft;
  if (state.runningSince === null) return;
  state.activeMs += Math.max(0, draft.now - state.runningSince);
  state.runningSince = null;
  state.usage.active_seconds = state.activeMs / 1000;
}

/** Usage up to now, the open running span included. */
function usageSnapshot(draft: Draft) {
  const { list_cost: _cost, server_tool_use: _tools, ...usage } = draft.state.usage;
  return usage;
}
