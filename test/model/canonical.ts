/** A log without what differs from run to run: ids, times, tokens, and what commands print. */
import { isEventEntry, type LogEntry } from '../../events/entry.ts';
import type { SessionEvent } from '../../events/wire.ts';

/** @returns one line per entry. Results that stand side by side are sorted: calls run in parallel. */
export function canonical(log: LogEntry[]): string[] {
  const uses = toolUses(log);
  const name = (id: string) => `use ${uses.indexOf(id)}`;
  let interrupting = false;
  const lines = log.map((entry) => {
    if (!isEventEntry(entry)) return `processed ${entry.of}`;
    const { event } = entry;
    if (event.type === 'user.interrupt') interrupting = true;
    if (event.type === 'session.status_idle') interrupting = false;
    return `${event.type} ${JSON.stringify(essence(event, name, interrupting))}`;
  });
  return sortRuns(lines, (line) => line.startsWith('agent.tool_result '));
}

/** Ids of the tool uses, in the order of the log. */
export function toolUses(log: LogEntry[]): string[] {
  return log.flatMap((entry) =>
    isEventEntry(entry) && (entry.event.type === 'agent.tool_use' || entry.event.type === 'agent.custom_tool_use')
      ? [entry.event.id]
      : [],
  );
}

function essence(event: SessionEvent, name: (id: string) => string, interrupting: boolean): unknown {
  switch (event.type) {
    case 'user.message':
    case 'system.message':
    case 'agent.message':
      return event.content;
    case 'agent.tool_use':
      return [event.name, event.evaluated_permission, event.evaluation];
    case 'agent.custom_tool_use':
      return event.name;
    case 'agent.tool_result':
      return [name(event.tool_use_id), event.is_error];
    case 'user.custom_tool_result':
      return [name(event.custom_tool_use_id), event.is_error];
    case 'user.tool_confirmation':
      return [name(event.tool_use_id), event.result];
    case 'span.model_request_end':
      // Whether an aborted request ends in time to say so is a matter of a second.
      return interrupting ? null : event.is_error;
    case 'session.error':
      return [event.error.type, event.error.retry_status];
    case 'session.updated':
      return event.title;
    case 'session.status_idle':
    case 'session.thread_status_idle':
      return event.stop_reason.type === 'requires_action' ? event.stop_reason.event_ids.map(name) : event.stop_reason;
    default:
      return null;
  }
}

function sortRuns(lines: string[], belongs: (line: string) => boolean): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; ) {
    let end = i;
    while (end < lines.length && belongs(lines[end] ?? '')) end += 1;
    out.push(...lines.slice(i, Math.max(end, i + 1)).sort());
    i = Math.max(end, i + 1);
  }
  return out;
}
