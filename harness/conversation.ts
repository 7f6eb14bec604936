/**
 * From log entries to the messages that a model sees. A conversation takes entries one by one, so a worker that keeps
 * it needs only what is new. Pure: large parts have been fetched before.
 */
import type { ContentBlockParam, MessageParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';
import { type EventEntry, type FileBytes, isEventEntry, type LogEntry } from '../events/entry.ts';
import type { EventOf } from '../events/wire.ts';
import { shortBlock } from './fit.ts';
import { type Goal, goalMessage, verdictMessage } from './outcome-prompt.ts';
import { INTERRUPTED_NOTE, summaryMessage } from './prompt.ts';

const BLANK = '(blank message)';

type Role = MessageParam['role'];
export interface Message {
  role: Role;
  content: ContentBlockParam[];
}

export interface Conversation {
  /** seq of the next entry to take. */
  next: number;
  messages: Message[];
  /** Inbound events that no turn has taken in yet, by seq. */
  waiting: Map<number, EventEntry>;
  /** The provider's tool use ids, by our event ids. */
  toolIds: Map<string, string>;
  /** The bytes behind blocks that name a file, by file id; `withFileBytes` puts them in. */
  files: Map<string, FileBytes>;
  /** A turn is open, so an interrupt has something to interrupt. */
  working: boolean;
  /** The newest thing is a summary: the model has said nothing since. */
  summarised: boolean;
  /** The open outcome; it is said when the next model request opens. */
  goal?: Goal;
}

export function emptyConversation(): Conversation {
  return {
    next: 0,
    messages: [],
    waiting: new Map(),
    toolIds: new Map(),
    files: new Map(),
    working: false,
    summarised: false,
  };
}

/** Takes the entry with seq `conversation.next`. */
export function take(conversation: Conversation, entry: LogEntry): void {
  if (entry.seq !== conversation.next) {
    throw new Error(`Expected entry ${conversation.next} of the log, got ${entry.seq}.`);
  }
  conversation.next += 1;
  if (!isEventEntry(entry)) {
    const waiting = conversation.waiting.get(entry.of);
    conversation.waiting.delete(entry.of);
    if (waiting) takeEvent(conversation, waiting);
    return;
  }
  const inbound = entry.event.type.startsWith('user.') || entry.event.type === 'system.message';
  if (inbound && entry.event.processed_at == null) conversation.waiting.set(entry.seq, entry);
  else takeEvent(conversation, entry);
}

function takeEvent(conversation: Conversation, { event, private: hidden }: EventEntry): void {
  for (const [id, bytes] of Object.entries(hidden?.files ?? {})) conversation.files.set(id, bytes);
  switch (event.type) {
    case 'user.message':
      return say(conversation, 'user', ...(event.content as ContentBlockParam[]));
    case 'system.message':
      return say(conversation, 'system', ...(event.content as ContentBlockParam[]));
    case 'user.define_outcome':
      conversation.goal = { text: goalMessage(event), said: false };
      return;
    case 'span.model_request_start':
      return sayGoal(conversation);
    case 'span.outcome_evaluation_end':
      return takeVerdict(conversation, event);
    case 'user.interrupt':
      if (conversation.working) say(conversation, 'user', { type: 'text', text: INTERRUPTED_NOTE });
      return;
    case 'agent.thinking':
      if (hidden?.block) say(conversation, 'assistant', hidden.block as ContentBlockParam);
      return;
    case 'agent.message':
      return say(conversation, 'assistant', ...(event.content as ContentBlockParam[]));
    case 'agent.tool_use':
    case 'agent.custom_tool_use': {
      const id = hidden?.provider_tool_use_id ?? event.id;
      conversation.toolIds.set(event.id, id);
      return say(conversation, 'assistant', { type: 'tool_use', id, name: event.name, input: event.input });
    }
    case 'agent.tool_result':
      return answer(conversation, event.tool_use_id, event.content, event.is_error);
    case 'user.custom_tool_result':
      return answer(conversation, event.custom_tool_use_id, event.content, event.is_error);
    case 'agent.thread_context_compacted':
      return compact(conversation, hidden?.summary ?? '');
    case 'session.status_running':
      conversation.working = true;
      return;
    case 'session.status_idle':
      conversation.working = event.stop_reason.type === 'requires_action';
      return;
  }
}

/** Not where it stands in the log: a reply that was under way then comes before it. */
function sayGoal(conversation: Conversation): void {
  const { goal } = conversation;
  if (!goal || goal.said) return;
  goal.said = true;
  say(conversation, 'user', { type: 'text', text: goal.text });
}

function takeVerdict(conversation: Conversation, event: EventOf<'span.outcome_evaluation_end'>): void {
  const text = verdictMessage(event);
  if (event.result !== 'needs_revision') conversation.goal = undefined;
  if (text !== undefined) say(conversation, 'user', { type: 'text', text });
}

/** Providers refuse texts of white space; a message of nothing else still says that someone spoke. */
function say(conversation: Conversation, role: Role, ...given: ContentBlockParam[]): void {
  const kept = given.filter((block) => !isBlank(block));
  const blocks: ContentBlockParam[] =
    kept.length === 0 && role !== 'assistant' ? [{ type: 'text', text: BLANK }] : kept;
  if (role === 'assistant') conversation.summarised = false;
  const last = conversation.messages.at(-1);
  if (last?.role === role) last.content.push(...blocks);
  else conversation.messages.push({ role, content: [...blocks] });
}

function answer(
  conversation: Conversation,
  eventId: string,
  content: unknown[] | undefined,
  isError: boolean | null | undefined,
): void {
  const said = (content ?? []).filter((part) => !isBlank(part));
  const block: ToolResultBlockParam = {
    type: 'tool_result',
    tool_use_id: conversation.toolIds.get(eventId) ?? eventId,
    ...(said.length ? { content: said as Exclude<ToolResultBlockParam['content'], string> } : {}),
    ...(isError ? { is_error: true } : {}),
  };
  say(conversation, 'user', block);
}

function isBlank(block: unknown): boolean {
  if (typeof block !== 'object' || block === null || Reflect.get(block, 'type') !== 'text') return false;
  const text: unknown = Reflect.get(block, 'text');
  return typeof text === 'string' && text.trim() === '';
}

/**
 * The summary takes the place of everything but what the user (and the operator) said since the last reply. If those
 * words did not fit even beside an earlier summary, they are shortened now: else no request would ever fit again.
 */
function compact(conversation: Conversation, summary: string): void {
  const { messages, goal } = conversation;
  const unanswered = messages.slice(messages.findLastIndex((message) => message.role === 'assistant') + 1);
  const isGoal = (block: ContentBlockParam) => block.type === 'text' && block.text === goal?.text;
  const repeat = goal?.said && !unanswered.some((message) => message.content.some(isGoal));
  conversation.messages = [];
  conversation.toolIds.clear();
  say(conversation, 'user', { type: 'text', text: summaryMessage(summary) });
  if (repeat) say(conversation, 'user', { type: 'text', text: goal.text });
  unanswered.forEach(({ role, content }, index) => {
    const said = content.filter((block) => block.type !== 'tool_result');
    const kept = conversation.summarised ? said.slice(index === 0 ? 1 : 0).map(shortBlock) : said;
    if (kept.length > 0) say(conversation, role, ...kept);
  });
  conversation.summarised = true;
}

/**
 * The messages as the provider accepts them: each tool use directly followed by its result, no empty messages.
 * A use whose result is missing gets an error in its place, so that one lost entry cannot end a session for ever.
 */
export function providerMessages(conversation: Conversation): MessageParam[] {
  const out: Message[] = [];
  for (const message of conversation.messages) {
    const before = out.at(-1);
    const open =
      before?.role === 'assistant' ? before.content.flatMap((b) => (b.type === 'tool_use' ? [b.id] : [])) : [];
    if (open.length === 0 || message.role !== 'user') {
      out.push({ role: message.role, content: message.content.filter((block) => block.type !== 'tool_result') });
    } else {
      const results = open.map((id) => message.content.find((b) => isResult(b, id)) ?? missing(id));
      out.push({ role: 'user', content: [...results, ...message.content.filter((b) => b.type !== 'tool_result')] });
    }
  }
  const last = out.at(-1);
  const open = last?.role === 'assistant' ? last.content.flatMap((b) => (b.type === 'tool_use' ? [b.id] : [])) : [];
  if (open.length > 0) out.push({ role: 'user', content: open.map(missing) });
  // `system` messages hold text only (see wire.ts), which their narrower type cannot see.
  return joined(systemAfterUser(out.map(withoutLastThinking))) as MessageParam[];
}

/** Providers refuse an assistant message that ends with thinking: a reply that was cut off there, or said nothing. */
function withoutLastThinking(message: Message): Message {
  if (message.role !== 'assistant') return message;
  const last = message.content.findLastIndex(
    (block) => block.type !== 'thinking' && block.type !== 'redacted_thinking',
  );
  return { ...message, content: message.content.slice(0, last + 1) };
}

/** A system message is taken only right after a user's: one that stands before it changes places with it. */
function systemAfterUser(messages: Message[]): Message[] {
  const out = messages.filter((message) => message.content.length > 0);
  for (let i = 0; i + 1 < out.length; i++) {
    const [system, user] = [out[i], out[i + 1]];
    if (system?.role === 'system' && user?.role === 'user' && out[i - 1]?.role !== 'user') {
      out[i] = user;
      out[i + 1] = system;
    }
  }
  return out;
}

function joined(messages: Message[]): Message[] {
  const out: Message[] = [];
  for (const message of messages) {
    const last = out.at(-1);
    if (last?.role === message.role) last.content = [...last.content, ...message.content];
    else out.push({ ...message });
  }
  return out;
}

function isResult(block: ContentBlockParam, id: string): boolean {
  return block.type === 'tool_result' && block.tool_use_id === id;
}

function missing(id: string): ToolResultBlockParam {
  return { type: 'tool_result', tool_use_id: id, is_error: true, content: 'The result of this call was not recorded.' };
}
