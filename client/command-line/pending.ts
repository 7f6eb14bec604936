/** The calls that a session waits for. */
import type Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsSessionEvent as SessionEvent } from '@anthropic-ai/sdk/resources/beta/sessions';

export type PendingCall = Extract<
  SessionEvent,
  { type: 'agent.tool_use' | 'agent.mcp_tool_use' | 'agent.custom_tool_use' }
>;

const CALLS: PendingCall['type'][] = ['agent.tool_use', 'agent.mcp_tool_use', 'agent.custom_tool_use'];

/** In the order in which they were made. A custom call waits for a result, the others for a confirmation. */
export async function pendingCalls(api: Anthropic, sessionId: string): Promise<PendingCall[]> {
  const { status } = await api.beta.sessions.retrieve(sessionId);
  if (status !== 'idle') return [];
  const idles = await api.beta.sessions.events.list(sessionId, {
    order: 'desc',
    limit: 1,
    types: ['session.status_idle'],
  });
  const last = idles.data[0];
  if (last?.type !== 'session.status_idle' || last.stop_reason.type !== 'requires_action') return [];
  const asked = new Set(last.stop_reason.event_ids);
  const calls: PendingCall[] = [];
  for await (const event of api.beta.sessions.events.list(sessionId, { order: 'desc', types: CALLS, limit: 100 })) {
    if (asked.delete(event.id)) calls.unshift(event as PendingCall);
    if (asked.size === 0) break;
  }
  return calls;
}
