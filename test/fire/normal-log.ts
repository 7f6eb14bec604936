/**
 * A log without what may differ between two runs that did the same: ids, times, token counts, retries in the open, which
 * of two parallel calls ended first.
 */
import type { SessionEvent } from '../../events/wire.ts';

/** Counted differently when the provider's prompt cache was met at another moment, or asked twice. */
const COUNTS = new Set(['usage', 'model_usage', 'stats', 'session_usage', 'duration_seconds', 'active_seconds']);
const ID = /\b(sevt|sesn|sthr|agent|env)_[0-9A-Za-z]+/g;

export function normalLog(log: SessionEvent[]): unknown[] {
  const names = new Map<string, string>();
  const nameOf = (id: string) => {
    const known = names.get(id) ?? `${id.split('_')[0]}#${names.size}`;
    names.set(id, known);
    return known;
  };
  return inOrderOfCalls(withoutRetries(log)).map((event) => {
    const text = JSON.stringify(event, (key, value: unknown) => {
      if (COUNTS.has(key)) return undefined;
      return key === 'processed_at' ? value !== null : value;
    });
    return JSON.parse(text.replaceAll(ID, nameOf)) as unknown;
  });
}

/** Results of parallel calls that stand in a row, in the order of their calls. */
function inOrderOfCalls(log: SessionEvent[]): SessionEvent[] {
  const callAt = new Map(log.map((event, at) => [event.id, at]));
  const keyed = log.map((event, at) => ({ event, at }));
  keyed.sort((a, b) => {
    const between = log.slice(Math.min(a.at, b.at), Math.max(a.at, b.at) + 1);
    if (!between.every(({ type }) => type === 'agent.tool_result')) return a.at - b.at;
    const call = ({ event }: typeof a) =>
      event.type === 'agent.tool_result' ? (callAt.get(event.tool_use_id) ?? -1) : -1;
    return call(a) - call(b);
  });
  return keyed.map(({ event }) => event);
}

/** Leaves out model requests that failed and what was said of them. */
function withoutRetries(log: SessionEvent[]): SessionEvent[] {
  const failed = new Set<string>();
  for (const event of log) {
    if (event.type === 'span.model_request_end' && event.is_error) failed.add(event.model_request_start_id);
  }
  return log.filter((event) => {
    switch (event.type) {
      case 'span.model_request_start':
        return !failed.has(event.id);
      case 'span.model_request_end':
        return !event.is_error;
      case 'session.error':
        return event.error.retry_status.type !== 'retrying';
      case 'session.status_rescheduled':
      case 'session.thread_status_rescheduled':
        return false;
      default:
        return true;
    }
  });
}
