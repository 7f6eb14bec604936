/** An answer as server-sent events, in the pieces that a client expects, at the pace of the script. */
import type { ContentBlock, Message, RawMessageStreamEvent } from '@anthropic-ai/sdk/resources/messages';
import { type Answer, type Spoken, wordsOf } from './reply.ts';
import type { Pace } from './script.ts';

/** One event, and whether the model takes a moment before it. */
export interface Beat {
  event: RawMessageStreamEvent | { type: 'ping' };
  paced: boolean;
}

/** `message` is the finished message: its usage opens the stream with one output token, its end closes it. */
export function* beats(message: Message, answer: Answer, pace: Pace): Generator<Beat> {
  const opening: Message = {
    ...message,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: { ...message.usage, output_tokens: 1, output_tokens_details: null },
  };
  yield { event: { type: 'message_start', message: opening }, paced: false };
  yield { event: { type: 'ping' }, paced: false };
  for (const [index, spoken] of answer.spoken.entries()) yield* blockBeats(index, spoken, pace);
  const { stop_reason, stop_sequence, stop_details, usage } = message;
  yield {
    event: {
      type: 'message_delta',
      delta: { stop_reason, stop_sequence, stop_details, container: null },
      usage: {
        input_tokens: usage.input_tokens,
        cache_creation_input_tokens: usage.cache_creation_input_tokens,
        cache_read_input_tokens: usage.cache_read_input_tokens,
        output_tokens: usage.output_tokens,
        output_tokens_details: usage.output_tokens_details,
        server_tool_use: null,
      },
    },
    paced: false,
  };
  yield { event: { type: 'message_stop' }, paced: false };
}

function* blockBeats(index: number, spoken: Spoken, pace: Pace): Generator<Beat> {
  yield { event: { type: 'content_block_start', index, content_block: empty(spoken.block) }, paced: false };
  if (spoken.block.type !== 'redacted_thinking')
    for (const piece of pieces(wordsOf(spoken), pace)) yield { event: delta(index, spoken.block, piece), paced: true };
  if (spoken.block.type === 'thinking') {
    const { signature } = spoken.block;
    yield {
      event: { type: 'content_block_delta', index, delta: { type: 'signature_delta', signature } },
      paced: false,
    };
  }
  yield { event: { type: 'content_block_stop', index }, paced: false };
}

/** A block as it starts: its words come in deltas. */
function empty(block: Spoken['block']): Exclude<ContentBlock, { type: 'container_upload' }> {
  if (block.type === 'text') return { ...block, text: '' };
  if (block.type === 'thinking') return { ...block, thinking: '', signature: '' };
  return block.type === 'tool_use' ? { ...block, input: {} } : block;
}

function delta(index: number, block: Spoken['block'], piece: string): RawMessageStreamEvent {
  if (block.type === 'thinking')
    return { type: 'content_block_delta', index, delta: { type: 'thinking_delta', thinking: piece } };
  if (block.type === 'tool_use')
    return { type: 'content_block_delta', index, delta: { type: 'input_json_delta', partial_json: piece } };
  return { type: 'content_block_delta', index, delta: { type: 'text_delta', text: piece } };
}

/** Cuts a text into chunks, never through a surrogate pair. */
function* pieces(text: string, pace: Pace): Generator<string> {
  const size = Math.max(pace.chunkChars, Math.ceil(text.length / pace.maxChunks));
  for (let from = 0; from < text.length; ) {
    let to = Math.min(text.length, from + size);
    if (to < text.length && /[\uD800-\uDBFF]/.test(text[to - 1] ?? '')) to++;
    yield text.slice(from, to);
    from = to;
  }
}
