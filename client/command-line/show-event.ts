/** Events of a session as a person reads them. */
import type {
  BetaManagedAgentsSessionStatusIdleEvent as IdleEvent,
  BetaManagedAgentsStreamSessionEvents as StreamEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions';
import type { Screen } from './screen.ts';

const RESULT_LINES = 5;

export interface ShowOptions {
  /** Also what people sent and how the session changes; without it, what the agent does alone. */
  everything?: boolean;
  /** Calls that were made before, so that their answers can be named. */
  calls?: readonly { id: string; name: string; input: Record<string, unknown> }[];
}

/** @returns a function that shows one event after the other; previews and the event that they announce become one text. */
export function eventShower(screen: Screen, options: ShowOptions = {}): (event: StreamEvent) => void {
  /** What was shown of messages before they were whole, by event id; an empty text for thinking. */
  const previewed = new Map<string, string>();
  let open: string | undefined;
  const calls = new Map((options.calls ?? []).map((call) => [call.id, describeCall(call)]));
  /** The call whose line stands right above. */
  let above: string | undefined;
  const close = () => {
    screen.endFlow();
    open = undefined;
  };
  const showPeople = options.everything ? peopleShower(screen, (id) => calls.get(id) ?? id) : () => {};
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
        previewed.delete(event.id);
        close();
        return;
      }
      case 'agent.thinking':
        if (previewed.delete(event.id)) return;
        close();
        screen.line('thinks', '…', 'dim');
        return;
      case 'span.model_request_end':
        close();
        return;
      case 'agent.tool_use':
      case 'agent.custom_tool_use':
        close();
        above = event.id;
        calls.set(event.id, describeCall(event));
        screen.line(event.name, describeInput(event.input));
        if (event.type === 'agent.tool_use' && event.evaluated_permission === 'deny')
          screen.detail(['denied by policy'], 'red');
        return;
      case 'agent.tool_result':
        close();
        if (event.tool_use_id !== above) screen.detail([`↳ ${calls.get(event.tool_use_id) ?? event.tool_use_id}`]);
        above = undefined;
        calls.delete(event.tool_use_id);
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
      default:
        showPeople(event);
    }
  };
}

/** What people sent, and what became of the session. An event that people sent comes twice: the second time processed. */
function peopleShower(screen: Screen, call: (id: string) => string): (event: StreamEvent) => void {
  const shown = new Set<string>();
  const once = (id: string, show: () => void) => {
    if (!shown.has(id)) show();
    shown.add(id);
  };
  return (event) => {
    switch (event.type) {
      case 'user.message':
      case 'system.message':
        return once(event.id, () => screen.line('you', describeContent(event.content), 'bold'));
      case 'user.interrupt':
        return once(event.id, () => screen.line('you', 'interrupt', 'bold'));
      case 'user.tool_confirmation': {
        const why = event.deny_message ? `: ${event.deny_message}` : '';
        return once(event.id, () => screen.line('you', `${event.result} ${call(event.tool_use_id)}${why}`, 'bold'));
      }
      case 'user.custom_tool_result':
        return once(event.id, () => {
          screen.line('you', `answer ${call(event.custom_tool_use_id)}`, 'bold');
          screen.detail(shorten(textOf(event.content ?? [])), event.is_error ? 'red' : 'dim');
        });
      case 'session.status_idle':
        return showIdle(screen, event, call);
      case 'session.updated':
        return screen.line('updated', 'the session was changed', 'dim');
      case 'agent.thread_context_compacted':
        return screen.line('compacts', 'older parts of the conversation became a summary', 'dim');
      case 'session.status_terminated':
        return screen.line('ended', 'the session has ended', 'dim');
      case 'session.deleted':
        return screen.line('deleted', 'the session was deleted', 'dim');
    }
  };
}

function showIdle(screen: Screen, { stop_reason }: IdleEvent, call: (id: string) => string): void {
  switch (stop_reason.type) {
    case 'requires_action':
      screen.line('asks', stop_reason.event_ids.length === 1 ? 'May this run?' : 'May these run?', 'yellow');
      return screen.detail(
        stop_reason.event_ids.map((id) => `${id}  ${call(id)}`),
        'yellow',
      );
    case 'retries_exhausted':
      return screen.line('idle', 'the turn ended with an error, and all retries are used up', 'red');
    case 'end_turn':
      return screen.line('idle', 'the turn is over', 'dim');
    default:
      return screen.line('idle', `the turn ended: ${stop_reason.type}`, 'yellow');
  }
}

/** The text of a message, and what else it holds by its kind. */
function describeContent(content: readonly object[]): string {
  const others = content.flatMap((block) => ('type' in block && block.type !== 'text' ? [`[${block.type}]`] : []));
  return [textOf(content), others.join(' ')].filter(Boolean).join('\n');
}

/** The text blocks of a content, one after the other. */
export function textOf(content: readonly object[]): string {
  return content.flatMap((block) => ('text' in block && typeof block.text === 'string' ? [block.text] : [])).join('\n');
}

/** A call in one line: the tool, and what it shall do. */
export function describeCall({ name, input }: { name: string; input: Record<string, unknown> }): string {
  return `${name} ${describeInput(input)}`;
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
