/** Events of a session as a person reads them. */
import type { BetaManagedAgentsStreamSessionEvents as StreamEvent } from '@anthropic-ai/sdk/resources/beta/sessions';
import type { Screen } from './screen.ts';

const RESULT_LINES = 5;

/** @returns a function that shows one event after the other; previews and the event that they announce become one text. */
export function eventShower(screen: Screen): (event: StreamEvent) => void {
  /** What was shown of messages before they were whole, by event id; an empty text for thinking. */
  const previewed = new Map<string, string>();
  let open: string | undefined;
  const calls = new Map<string, string>();
  /** The call whose line stands right above. */
  let above: string | undefined;
  const close = () => {
    screen.endFlow();
    open = undefined;
  };
  return (event) => {
    switch (event.type) {
      case 'event_start':
        close();
        open = event.event.id;
        previewed.set(open, '');
        if (event.event.type === 'agent.thinking') screen.line('thinks', '…', 'dim');
        return;
      case 'event_delta': {
        if (event.event_id !== open || event.delta.content.type !== 'text') return;
        const { text } = event.delta.content;
        previewed.set(open, (previewed.get(open) ?? '') + text);
        screen.flow('says', text);
        return;
      }
      case 'agent.message': {
        // The events of a reply come when it is whole: this one may be announced by a preview that others have closed.
        const text = textOf(event.content);
        const shown = previewed.get(event.id) ?? '';
        const rest = text.startsWith(shown) ? text.slice(shown.length) : text;
        if (event.id !== open) close();
        if (rest !== '') screen.flow('says', rest);
        close();
        return;
      }
      case 'agent.thinking':
        if (previewed.has(event.id)) return;
        close();
        screen.line('thinks', '…', 'dim');
        return;
      case 'span.model_request_end':
        close();
        return;
      case 'agent.tool_use':
        close();
        above = event.id;
        calls.set(event.id, describeInput(event.input));
        screen.line(event.name, describeInput(event.input));
        if (event.evaluated_permission === 'deny') screen.detail(['denied by policy'], 'red');
        return;
      case 'agent.tool_result':
        close();
        if (event.tool_use_id !== above) screen.detail([`↳ ${calls.get(event.tool_use_id) ?? event.tool_use_id}`]);
        above = undefined;
        screen.detail(shorten(textOf(event.content ?? [])), event.is_error ? 'red' : 'dim');
        return;
      case 'session.error':
        close();
        screen.line('error', `${event.error.type}: ${event.error.message} (${event.error.retry_status.type})`, 'red');
        return;
      case 'session.status_rescheduled':
        close();
        screen.line('waits', 'the session will ask the model again', 'yellow');
        return;
    }
  };
}

/** The text blocks of a content, one after the other. */
export function textOf(content: readonly object[]): string {
  return content.flatMap((block) => ('text' in block && typeof block.text === 'string' ? [block.text] : [])).join('\n');
}

/** A tool's input in one line: a command as it is, a file by its name and size. */
export function describeInput(input: Record<string, unknown>): string {
  const { command, file_path: path, content, new_string: text } = input;
  if (typeof command === 'string') return command;
  if (typeof path !== 'string') return JSON.stringify(input);
  if (typeof content === 'string') return `${path}  (${size(content.length)})`;
  return typeof text === 'string' ? `${path}  → ${text}` : path;
}

export function size(bytes: number): string {
  return bytes < 10_000 ? `${bytes} B` : `${Math.round(bytes / 1_000)} kB`;
}

function shorten(text: string): string[] {
  const lines = text.trimEnd().split('\n');
  if (lines.length <= RESULT_LINES) return lines;
  const ends = [
    ...lines.slice(0, 2),
    `… ${lines.length - RESULT_LINES + 1} more lines …`,
    ...lines.slice(3 - RESULT_LINES),
  ];
  return ends;
}
