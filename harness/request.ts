/** The model request: system prompt, tools, messages, and where the provider may cache. */
import type { MessageCreateParamsStreaming, MessageParam } from '@anthropic-ai/sdk/resources/messages';
import type { SessionAgent } from '../events/wire.ts';
import type { ToolPolicy } from '../workflows/contract.ts';
import { type Conversation, providerMessages } from './conversation.ts';
import type { ModelSpec } from './model-spec.ts';
import { COMPACT_REQUEST, type SkillSummary, systemPrompt } from './prompt.ts';
import { toolDefinitions } from './tools.ts';

const CACHE = { type: 'ephemeral' } as const;
/** A summary request may use this part of the window; the oldest tool results are shortened until it fits. */
const COMPACT_SHARE = 0.7;
/** A summary must leave room for what it summarises. */
const COMPACT_MAX_TOKENS = 16_000;
/** Rough size of a token, characters of JSON. */
const CHARS_PER_TOKEN = 3;
const SHORTENED_CHARS = 2_000;

export interface RequestInput {
  agent: SessionAgent;
  policies: Record<string, ToolPolicy>;
  model: ModelSpec;
  conversation: Conversation;
  /** The session's skills. */
  skills?: SkillSummary[];
  /** Ask for a summary instead of an answer. */
  compact: boolean;
}

/** @returns the body of `POST /v1/messages`; four cache breakpoints at most: tools, system, the last two user turns. */
export function buildRequest(input: RequestInput): MessageCreateParamsStreaming {
  const { agent, policies, model, conversation } = input;
  const system = systemPrompt(agent, policies, input.skills);
  const tools = toolDefinitions(agent, policies);
  const messages = providerMessages(conversation);
  const effort = agent.model.effort?.type;
  return {
    model: model.upstream,
    max_tokens: input.compact ? Math.min(model.maxOutput, COMPACT_MAX_TOKENS) : model.maxOutput,
    stream: true,
    ...(system ? { system: [{ type: 'text', text: system, cache_control: CACHE }] } : {}),
    ...(tools.length > 0
      ? { tools: tools.map((tool, i) => (i === tools.length - 1 ? { ...tool, cache_control: CACHE } : tool)) }
      : {}),
    ...(input.compact && tools.length > 0 ? { tool_choice: { type: 'none' } } : {}),
    ...(effort && model.efforts.includes(effort) ? { output_config: { effort } } : {}),
    ...(agent.model.speed === 'fast' ? { speed: 'fast' } : {}),
    ...(agent.model.inference_geo ? { inference_geo: agent.model.inference_geo } : {}),
    ...(model.thinking === 'adaptive' ? { thinking: { type: 'adaptive' } } : {}),
    messages: input.compact ? askForSummary(messages, model) : markCached(messages),
  };
}

/** Marks the last two user messages, so that the next request finds all but the newest part in the cache. */
function markCached(messages: MessageParam[]): MessageParam[] {
  const users = messages.flatMap((message, index) => (message.role === 'user' ? [index] : [])).slice(-2);
  return messages.map((message, index) => {
    if (!users.includes(index) || typeof message.content === 'string') return message;
    const content = message.content.map((block, i, all) =>
      i === all.length - 1 ? ({ ...block, cache_control: CACHE } as typeof block) : block,
    );
    return { ...message, content } as MessageParam;
  });
}

function askForSummary(messages: MessageParam[], model: ModelSpec): MessageParam[] {
  const ask = { type: 'text', text: COMPACT_REQUEST } as const;
  const fitting = shorten(messages, model.window * COMPACT_SHARE * CHARS_PER_TOKEN);
  const last = fitting.at(-1);
  if (last?.role === 'user' && typeof last.content !== 'string') {
    return [...fitting.slice(0, -1), { role: 'user', content: [...last.content, ask] }];
  }
  return [...fitting, { role: 'user', content: [ask] }];
}

/** Cuts long texts, the oldest first, until the messages are about `chars` long. */
function shorten(messages: MessageParam[], chars: number): MessageParam[] {
  let over = JSON.stringify(messages).length - chars;
  return messages.map((message) => {
    if (over <= 0 || typeof message.content === 'string') return message;
    const content = message.content.map((block) => {
      const size = JSON.stringify(block).length;
      if (over <= 0 || size <= SHORTENED_CHARS) return block;
      const cut = shortBlock(block);
      over -= size - JSON.stringify(cut).length;
      return cut;
    });
    return { ...message, content } as MessageParam;
  });
}

type Block = Exclude<MessageParam['content'], string>[number];

function shortBlock(block: Block): Block {
  const short = (text: string) =>
    text.length > SHORTENED_CHARS
      ? `${text.slice(0, SHORTENED_CHARS / 2)}\n[… shortened …]\n${text.slice(-SHORTENED_CHARS / 2)}`
      : text;
  switch (block.type) {
    case 'text':
      return { ...block, text: short(block.text) };
    case 'image':
    case 'document':
      return { type: 'text', text: `[${block.type} left out]` };
    case 'tool_result': {
      const text = typeof block.content === 'string' ? block.content : (block.content ?? []).map(asText).join('\n');
      return { ...block, content: short(text) };
    }
    default:
      // Tool inputs and thinking must go back as they came.
      return block;
  }
}

function asText(block: object): string {
  return 'text' in block && typeof block.text === 'string' ? block.text : '[left out]';
}
