/** What a person sees of a session in the Temporal UI without decoding anything. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { isEventEntry, type LogEntry } from '../events/entry.ts';
import type { SessionEvent, SessionStatus } from '../events/wire.ts';

const STATUS = defineSearchAttributeKey('LonghandStatus', 'KEYWORD');
const LINES = 12;
const LINE_CHARS = 160;

export interface Display {
  show(entries: LogEntry[], status: SessionStatus): void;
}

export function createDisplay(status: SessionStatus): Display {
  let shown = status;
  let lines: string[] = [];
  return {
    show(entries, now) {
      const added = entries.flatMap((entry) => (isEventEntry(entry) ? [line(entry.seq, entry.event)] : []));
      if (added.length > 0) {
        lines = [...lines, ...added].slice(-LINES);
        setCurrentDetails(lines.join('\n'));
      }
      if (now !== shown) {
        shown = now;
        upsertSearchAttributes([{ key: STATUS, value: now }]);
      }
    },
  };
}

/** One event as a line of Markdown. */
function line(seq: number, event: SessionEvent): string {
  const what = summary(event).replaceAll(/[\s`]+/g, ' ');
  const cut = what.length > LINE_CHARS ? `${what.slice(0, LINE_CHARS)}…` : what;
  return `- ${seq} **${event.type}** ${cut}`;
}

function summary(event: SessionEvent): string {
  switch (event.type) {
    case 'agent.tool_use':
    case 'agent.custom_tool_use':
      return `${event.name} (${event.id})`;
    case 'agent.tool_result':
      return `${event.is_error ? 'error ' : ''}${text(event.content)}`;
    case 'user.message':
    case 'agent.message':
      return text(event.content);
    case 'user.define_outcome':
      return event.description;
    case 'span.outcome_evaluation_end':
      return `${event.result}: ${event.explanation}`;
    case 'session.error':
      return `${event.error.type}: ${event.error.message}`;
    case 'session.status_idle':
      return event.stop_reason.type;
    default:
      return '';
  }
}

function text(content: readonly object[] | undefined): string {
  return (content ?? [])
    .map((block) => ('text' in block && typeof block.text === 'string' ? block.text : '…'))
    .join(' ');
}
