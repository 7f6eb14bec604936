/** What clients ask of a session. Each request is taken whole or refused whole. */
import { eventIdAt } from '../../events/ids.ts';
import type { EventParams, SessionEvent } from '../../events/wire.ts';
import { type AcceptedEvent, type PreparedEvent, type SessionOp, STALE } from '../contract.ts';
import { appendToolError, finish } from './calls.ts';
import { append, appendWhole, type Draft, Refusal, stamp } from './draft.ts';
import { callOffOutcome, defineOutcome } from './outcome.ts';
import { showTerminated } from './status.ts';
import { goOn, interrupt, mayGoOn } from './turn.ts';

/** Confirmed ids that are remembered, so that a late duplicate is a no-op. */
export const CONFIRMED_KEPT = 256;

/** @throws Refusal when any part of it cannot be done now. */
export function apply(draft: Draft, op: SessionOp): AcceptedEvent[] {
  if (draft.state.ended) throw new Refusal('The session has ended; it takes no more events.', 400);
  switch (op.op) {
    case 'events':
      return applyEvents(draft, op.events);
    case 'update':
      return applyUpdate(draft, op);
    case 'sandbox':
      if (!draft.state.sandbox.ref) draft.commands.push({ do: 'provision' });
      return [];
    case 'inputs':
      if (op.inputs.rev > (draft.state.inputs?.rev ?? 0)) draft.state.inputs = op.inputs;
      return [];
    case 'archive':
    case 'delete':
      return applyEnd(draft, op.op);
  }
}

function applyEvents(draft: Draft, events: PreparedEvent[]): AcceptedEvent[] {
  let answered = false;
  const accepted = events.flatMap((prepared, index) => {
    const answer = applyEvent(draft, prepared, events[index - 1]?.event);
    if (answer && answersCall(prepared.event)) answered = true;
    return answer ? [answer] : [];
  });
  // Only now: what arrives together is taken in together.
  if (answered && mayGoOn(draft.state)) goOn(draft);
  return accepted;
}

function answersCall(event: EventParams): boolean {
  return event.type === 'user.tool_confirmation' || event.type === 'user.custom_tool_result';
}

/** @param before - the event before it in the same request. */
function applyEvent(draft: Draft, prepared: PreparedEvent, before: EventParams | undefined): AcceptedEvent | undefined {
  const { event } = prepared;
  switch (event.type) {
    case 'user.message':
    case 'system.message': {
      const withResult = event.type === 'system.message' && before?.type === 'user.custom_tool_result';
      if (!withResult) refuseWhileAsked(draft);
      const answer = inbound(draft, prepared, null);
      draft.state.queue.push({ seq: answer.seq, type: event.type, ...(withResult ? { withResult } : {}) });
      return answer;
    }
    case 'user.define_outcome':
      refuseWhileAsked(draft);
      return defineOutcome(draft, event, prepared);
    case 'user.interrupt': {
      if (event.session_thread_id && event.session_thread_id !== draft.state.thread) {
        throw new Refusal(`session_thread_id: no thread ${event.session_thread_id} in this session.`, 404);
      }
      const answer = inbound(draft, prepared, null);
      interrupt(draft, answer.seq);
      return answer;
    }
    case 'user.tool_confirmation':
      return confirm(draft, event);
    case 'user.custom_tool_result': {
      const call = draft.state.turn?.calls.find((one) => one.id === event.custom_tool_use_id);
      if (call?.state !== 'custom') {
        throw new Refusal(
          `custom_tool_use_id: no custom tool call ${event.custom_tool_use_id} is waiting for a result in this session.`,
        );
      }
      finish(call);
      return inbound(draft, prepared, stamp(draft));
    }
    default:
      throw new Refusal(`type: events of type ${event.type} are not accepted by this session.`);
  }
}

function confirm(draft: Draft, event: Extract<EventParams, { type: 'user.tool_confirmation' }>) {
  const { state } = draft;
  const call = state.turn?.calls.find((one) => one.id === event.tool_use_id);
  if (call?.state !== 'ask') {
    // Two people may press the same button; the second press changes nothing.
    if (state.confirmed.includes(event.tool_use_id)) return undefined;
    throw new Refusal(`tool_use_id: no call ${event.tool_use_id} is waiting for a confirmation in this session.`);
  }
  state.confirmed = [...state.confirmed, call.id].slice(-CONFIRMED_KEPT);
  const answer = inbound(draft, { event }, stamp(draft));
  if (event.result === 'allow') {
    call.state = 'ready';
    return answer;
  }
  const reason = event.deny_message ? ` Reason: ${event.deny_message}` : '';
  appendToolError(draft, call.id, `The user denied permission for this call; it was not run.${reason}`);
  finish(call);
  return answer;
}

function refuseWhileAsked(draft: Draft): void {
  const asked = pendingIds(draft);
  if (asked.length === 0) return;
  throw new Refusal(
    `The session waits for answers to ${asked.join(', ')} (requires_action). Send user.tool_confirmation or user.custom_tool_result for them, or user.interrupt, first.`,
  );
}

function pendingIds(draft: Draft): string[] {
  const { turn } = draft.state;
  if (turn?.phase !== 'waiting') return [];
  return turn.calls.filter((call) => call.state === 'ask' || call.state === 'custom').map((call) => call.id);
}

/** Appends an inbound event as it was sent. */
function inbound(draft: Draft, { event, blobs, files }: PreparedEvent, processed_at: string | null): AcceptedEvent {
  const id = eventIdAt(draft.state.thread, draft.state.seq);
  const seq = appendWhole(draft, { ...event, id, processed_at } as SessionEvent, {
    blobs,
    ...(files ? { private: { files } } : {}),
  });
  return { id, seq, processed_at };
}

function applyUpdate(draft: Draft, op: Extract<SessionOp, { op: 'update' }>): AcceptedEvent[] {
  const { state } = draft;
  refuseStale(draft, op);
  if (op.agent) {
    const busy = state.turn !== null && state.turn.phase !== 'waiting';
    if (busy) {
      throw new Refusal(
        'agent: the session is running. Send user.interrupt, wait for session.status_idle, then update.',
      );
    }
    if (op.agent.rev <= state.agent.rev) {
      throw new Refusal(
        'agent: the session’s agent was changed at the same time; read the session and try again.',
        409,
      );
    }
    state.agent = op.agent;
  }
  const row = {
    ...('title' in op ? { title: op.title ?? null } : {}),
    ...(op.metadata ? { metadata: op.metadata } : {}),
    ...(op.agent ? { agent_rev: op.agent.rev } : {}),
  };
  const answer = append(
    draft,
    {
      type: 'session.updated',
      ...('title' in op ? { title: op.title ?? null } : {}),
      ...(op.metadata && Object.keys(op.metadata).length > 0 ? { metadata: op.metadata } : {}),
      ...(op.agent ? { agent: op.agentEvent ?? null } : {}),
    },
    { private: { row }, blobs: op.blobs },
  );
  if (op.metadata) state.metadataSeq = answer.seq;
  return [answer];
}

/** Two apis may change a session at the same time: the second change must know of the first. */
function refuseStale({ state }: Draft, { from }: Extract<SessionOp, { op: 'update' }>): void {
  const { metadata, agent } = from ?? {};
  const stale =
    (metadata !== undefined && state.metadataSeq !== undefined && metadata !== state.metadataSeq) ||
    (agent !== undefined && agent !== state.agent.rev);
  if (stale) throw new Refusal('The session was changed at the same time; read it and try again.', 409, STALE);
}

function applyEnd(draft: Draft, how: 'archive' | 'delete'): AcceptedEvent[] {
  const { state } = draft;
  if (state.status === 'running' || state.status === 'rescheduling') {
    throw new Refusal(
      `The session is ${state.status} and cannot be ${how}d. Send user.interrupt and wait for session.status_idle first.`,
    );
  }
  for (const call of state.turn?.calls ?? []) finish(call);
  callOffOutcome(draft, `The session was ${how}d.`);
  state.turn = null;
  state.ended = { how: how === 'archive' ? 'archived' : 'deleted', at: draft.now };
  showTerminated(draft);
  if (state.sandbox.ref) draft.commands.push({ do: 'release', save: false });
  return [];
}
