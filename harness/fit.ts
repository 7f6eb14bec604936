/**
 * Makes a conversation small enough to be summarised: long old texts are cut first, then whole old replies go. Only the
 * request for the summary is made smaller; the log keeps everything.
 */
import type { MessageParam } from '@anthropic-ai/sdk/resources/messages';

/** Rough size of a token, UTF-8 bytes of JSON: a Chinese character has three and is about one token. */
const BYTES_PER_TOKEN = 3;
/** Blocks up to this size are not worth cutting, bytes of JSON. */
const SHORTENED_BYTES = 2_000;
/** What is kept of a text at either end, characters. */
const SHORTENED_CHARS = SHORTENED_BYTES / 2;

/** @returns about how many tokens a value takes in a request; rather too many than too few. */
export function estimateTokens(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '') / BYTES_PER_TOKEN;
}

/** @returns the messages in about `tokens`, or the least that can be made of them. The newest reply always stays. */
export function fitMessages(messages: MessageParam[], tokens: number): MessageParam[] {
  const shortened = shorten(messages, tokens);
  return leaveOut(shortened, tokens);
}

function sizeOf(messages: MessageParam[]): number {
  return messages.reduce((sum, message) => sum + estimateTokens(message), 0);
}

/** Cuts long texts, the oldest first. */
function shorten(messages: MessageParam[], tokens: number): MessageParam[] {
  let over = sizeOf(messages) - tokens;
  return messages.map((message) => {
    if (over <= 0 || typeof message.content === 'string') return message;
    const content = message.content.map((block) => {
      const size = estimateTokens(block);
      if (over <= 0 || size * BYTES_PER_TOKEN <= SHORTENED_BYTES) return block;
      const cut = shortBlock(block);
      over -= size - estimateTokens(cut);
      return cut;
    });
    return { ...message, content } as MessageParam;
  });
}

type Block = Exclude<MessageParam['content'], string>[number];

/** A block without its middle, if it is long: text keeps both ends, media are only named. */
export function shortBlock(block: Block): Block {
  switch (block.type) {
    case 'text':
      return { ...block, text: shortText(block.text) };
    case 'image':
    case 'document':
      return { type: 'text', text: `[${block.type} left out]` };
    case 'tool_result': {
      const text = typeof block.content === 'string' ? block.content : (block.content ?? []).map(asText).join('\n');
      return { ...block, content: shortText(text) };
    }
    default:
      // Tool inputs and thinking must go back as they came, or not at all.
      return block;
  }
}

/** Half a surrogate pair at a cut would be refused by the provider. */
function shortText(text: string): string {
  if (Buffer.byteLength(text) <= SHORTENED_BYTES) return text;
  const keep = Math.min(SHORTENED_CHARS, Math.floor(text.length / 4));
  return `${text.slice(0, keep)}\n[… shortened …]\n${text.slice(-keep)}`.toWellFormed();
}

function asText(block: object): string {
  return 'text' in block && typeof block.text === 'string' ? block.text : '[left out]';
}

/**
 * Leaves out whole replies with what answered them, the oldest first: what comes before the first reply (the task, an
 * earlier summary) stays, and so does the newest reply, so that every tool use keeps its result.
 */
function leaveOut(messages: MessageParam[], tokens: number): MessageParam[] {
  let over = sizeOf(messages) - tokens;
  if (over <= 0) return messages;
  const starts = messages.flatMap((message, index) => (message.role === 'assistant' ? [index] : []));
  const first = starts[0] ?? messages.length;
  let from = first;
  for (const start of starts.slice(1)) {
    if (over <= 0) break;
    over -= sizeOf(messages.slice(from, start));
    from = start;
  }
  if (from === first) return messages;
  const note = {
    type: 'text',
    text: `[${from - first} messages that came here are left out of this request.]`,
  } as const;
  const [task, ...others] = messages.slice(0, first);
  if (task?.role !== 'user' || typeof task.content === 'string')
    return [...messages.slice(0, first), ...messages.slice(from)];
  return [{ ...task, content: [...task.content, note] }, ...others, ...messages.slice(from)];
}
