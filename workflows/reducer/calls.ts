/** Tool calls of the open turn: who may run, what each one's end means, when the turn can go on. */
import type { EventOf, ResultBlock, SessionEvent } from '../../events/wire.ts';
import type { ExecuteResult, NewEvent, ReplyCall, SessionSettings } from '../contract.ts';
import type { Call } from '../state.ts';
import { append, appendWhole, type Draft, stamp } from './draft.ts';

/** What `timeout_ms` 0 or absent means, ms. */
const DEFAULT_DEADLINE_MS = 120_000;

type ToolUse = EventOf<'agent.tool_use'> | EventOf<'agent.custom_tool_use'>;

/** A call that was decided against before anything ran, and what the model is told. */
export interface Denied {
  id: string;
  message: string;
}

/** Appends a reply's events; tool uses get their decision. Returns the calls that are open and those denied. */
export function appendReply(draft: Draft, events: NewEvent[], calls: ReplyCall[]): { open: Call[]; denied: Denied[] } {
  const open: Call[] = [];
  const denied: Denied[] = [];
  events.forEach((made, index) => {
    const asked = calls.find((call) => call.event === index);
    const stamped = { ...made.event, processed_at: stamp(draft) } as SessionEvent;
    if (!asked || (stamped.type !== 'agent.tool_use' && stamped.type !== 'agent.custom_tool_use')) {
      appendWhole(draft, stamped, made);
      return;
    }
    const decided = decide(draft, stamped);
    appendWhole(draft, decided.event, made);
    if (decided.denied) {
      denied.push({ id: stamped.id, message: decided.denied });
      return;
    }
    open.push({
      id: stamped.id,
      name: stamped.name,
      summary: asked.summary,
      input: stamped.input,
      ...(made.blobs?.length ? { inputBlobs: made.blobs } : {}),
      timeoutMs: asked.timeoutMs ?? 0,
      state: decided.state,
    });
  });
  return { open, denied };
}

/** What the agent's policy says of one tool use. */
function decide(draft: Draft, event: ToolUse): { event: ToolUse; state: Call['state']; denied?: string } {
  const { tools } = draft.state.agent;
  // A model may call anything, `constructor` too.
  const tool = Object.hasOwn(tools, event.name) ? tools[event.name] : undefined;
  if (event.type === 'agent.custom_tool_use') return { event, state: 'custom' };
  if (!tool?.enabled || tool.kind !== 'builtin') {
    const why = tool ? 'is disabled for this agent' : 'is not one of this agent’s tools';
    return {
      event: { ...event, evaluated_permission: 'deny' },
      state: 'done',
      denied: `The tool "${event.name}" ${why}; the call was not run.`,
    };
  }
  switch (tool.policy) {
    case 'always_ask':
      return { event: { ...event, evaluated_permission: 'ask', evaluation: { type: 'always_ask' } }, state: 'ask' };
    case 'auto':
      return {
        event: {
          ...event,
          evaluated_permission: 'ask',
          evaluation: { type: 'auto', evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } },
        },
        state: 'ask',
      };
    default:
      return {
        event: { ...event, evaluated_permission: 'allow', evaluation: { type: 'always_allow' } },
        state: 'ready',
      };
  }
}

/** Appends a tool result that the workflow words itself. */
export function appendToolError(draft: Draft, id: string, message: string): void {
  append(draft, {
    type: 'agent.tool_result',
    tool_use_id: id,
    is_error: true,
    content: [{ type: 'text', text: message }],
  });
}

/** Closes a call with an error; a custom call's answer is the client's event, so it gets one in the client's name. */
export function closeCall(draft: Draft, call: Call, message: string): void {
  const content: ResultBlock[] = [{ type: 'text', text: message }];
  if (call.state === 'custom') {
    append(draft, { type: 'user.custom_tool_result', custom_tool_use_id: call.id, is_error: true, content });
  } else {
    append(draft, { type: 'agent.tool_result', tool_use_id: call.id, is_error: true, content });
  }
  finish(call);
}

/** A call is over: nothing of it need be carried any longer. */
export function finish(call: Call): void {
  call.state = 'done';
  call.input = {};
  call.inputBlobs = undefined;
}

/**
 * Appends the result that the hands gave.
 * @param generation - of the sandbox that the call was sent to.
 */
export function appendResult(draft: Draft, call: Call, result: ExecuteResult, generation: number): void {
  const { sandbox } = draft.state;
  sandbox.changes += 1;
  if (result.kind === 'finished') {
    const { deadlineMs, note } = deadline(call, draft.settings);
    // The content may be away in the blob store as a whole; then the note goes without saying.
    const whole: ResultBlock[] | null = result.content;
    const said: ResultBlock[] = note ? [{ type: 'text', text: `(${note} ${deadlineMs} ms was used.)` }] : [];
    const content = whole ? [...whole, ...said] : result.content;
    append(
      draft,
      { type: 'agent.tool_result', tool_use_id: call.id, is_error: result.isError, content },
      { blobs: result.blobs },
    );
  } else {
    // A call of an older sandbox may come back late: it says nothing of the one there is now.
    if (result.kind === 'lost' && generation === sandbox.generation) {
      sandbox.ref = undefined;
      if (result.checkpoint) sandbox.checkpoint = result.checkpoint;
    }
    appendToolError(draft, call.id, lossMessage(draft, result));
  }
  finish(call);
}

/** The deadline a call gets, ms; `note` says so when it is less than was asked for. */
export function deadline(call: Call, settings: SessionSettings): { deadlineMs: number; note?: string } {
  const asked = call.timeoutMs > 0 ? call.timeoutMs : DEFAULT_DEADLINE_MS;
  if (asked <= settings.callMaxMs) return { deadlineMs: asked };
  return { deadlineMs: settings.callMaxMs, note: `timeout_ms ${asked} is over the maximum.` };
}

/** What the model is told of a call that has no result of its own. */
function lossMessage(draft: Draft, result: Exclude<ExecuteResult, { kind: 'finished' }>): string {
  if (result.kind === 'unknown') {
    return `${result.message}\nThe outcome of this call is unknown: it was started, and it may or may not have had effects. It was not run again. Check before you repeat it.`;
  }
  const outcome =
    result.started === 'no'
      ? 'This call had not started and had no effect.'
      : 'This call had been started; whether it had effects cannot be known. It was not run again.';
  const { checkpoint } = draft.state.sandbox;
  const files = checkpoint
    ? `The next call gets a new sandbox with the files restored as of ${checkpoint.takenAt}; later changes are gone.`
    : 'The next call gets a new, empty sandbox: no checkpoint had been taken yet, so no files could be restored.';
  return `The sandbox was lost: ${result.message}\n${outcome}\n${files} Processes, shell state and the current directory are gone.`;
}
