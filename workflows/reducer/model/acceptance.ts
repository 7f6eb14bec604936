/** Which requests a session takes: said from the log alone, in the words of the API's rules (REF 3.6, 3.7, 4.1, 4.6). */
import type { EventParams } from '../../../events/wire.ts';
import type { SessionOp } from '../../contract.ts';
import type { LogReader } from './log-reader.ts';

/** @param reader - as the log was before the request. */
export function isTaken(reader: LogReader, op: SessionOp, thread: string, agentRev: number): boolean {
  if (reader.status === 'terminated') return false;
  switch (op.op) {
    case 'events':
      return areTaken(
        reader,
        op.events.map((one) => one.event),
        thread,
      );
    case 'update':
      return !op.agent || (reader.status === 'idle' && op.agent.rev > agentRev);
    case 'sandbox':
    case 'inputs':
      return true;
    case 'archive':
    case 'delete':
      return reader.status === 'idle';
  }
}

/** All of them or none. Each is judged as those before it leave the session. */
function areTaken(reader: LogReader, events: EventParams[], thread: string): boolean {
  const idle = reader.status === 'idle';
  const asks = new Set<string>();
  const customs = new Set<string>();
  const confirmed = new Set(reader.confirmed);
  let outcome = reader.outcome !== undefined && !isCalledOff(reader, reader.outcome.seq);
  for (const [id, use] of reader.open) {
    if (use.kind === 'custom') customs.add(id);
    else if (use.permission === 'ask' && !use.confirmed) asks.add(id);
  }
  return events.every((event, index) => {
    const waits = idle && asks.size + customs.size > 0;
    switch (event.type) {
      case 'user.message':
        return !waits;
      case 'system.message':
        return !waits || events[index - 1]?.type === 'user.custom_tool_result';
      case 'user.interrupt':
        if (event.session_thread_id && event.session_thread_id !== thread) return false;
        outcome = false;
        asks.clear();
        customs.clear();
        return true;
      case 'user.tool_confirmation':
        if (!asks.delete(event.tool_use_id)) return confirmed.has(event.tool_use_id);
        confirmed.add(event.tool_use_id);
        return true;
      case 'user.custom_tool_result':
        return customs.delete(event.custom_tool_use_id);
      case 'user.define_outcome':
        if (waits || outcome) return false;
        outcome = true;
        return true;
      default:
        return false;
    }
  });
}

/** An interrupt that came after it has not been done yet: what it meant need not be waited for. */
function isCalledOff(reader: LogReader, defined: number): boolean {
  return [...reader.unprocessed].some(([seq, type]) => type === 'user.interrupt' && seq > defined);
}
