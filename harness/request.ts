/** The model request: system prompt, tools, messages, and where the provider may cache. */
import type { MessageCreateParamsStreaming, MessageParam } from '@anthropic-ai/sdk/resources/messages';
import type { SessionAgent } from '../events/wire.ts';
import type { Compact, ToolPolicy } from '../workflows/contract.ts';
import { type Conversation, providerMessages } from './conversation.ts';
import { fitMessages } from './fit.ts';
import type { ModelSpec } from './model-spec.ts';
import { COMPACT_REQUEST, type SkillSummary, systemPrompt } from './prompt.ts';
import { toolDefinitions } from './tools.ts';

const CACHE = { type: 'ephemeral' } as const;
/** A summary request may use this part of the window; what is old is shortened until it fits. */
const COMPACT_SHARE = 0.7;
/** A summary must leave room for what it summarises. */
const COMPACT_MAX_TOKENS = 16_000;

export interface RequestInput {
  agent: SessionAgent;
  policies: Record<string, ToolPolicy>;
  model: ModelSpec;
  conversation: Conversation;
  /** The session's skills. */
  skills?: SkillSummary[];
  /** Ask for a summary instead of an answer. */
  compact?: Compact;
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
    messages: input.compact ? askForSummary(messages, model, input.compact) : markCached(messages),
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

function askForSummary(messages: MessageParam[], model: ModelSpec, { halvings }: Compact): MessageParam[] {
  const ask = { type: 'text', text: COMPACT_REQUEST } as const;
  const fitting = fitMessages(messages, (model.window * COMPACT_SHARE) / 2 ** halvings);
  const last = fitting.at(-1);
  if (last?.role === 'user' && typeof last.content !== 'string') {
    return [...fitting.slice(0, -1), { role: 'user', content: [...last.content, ask] }];
  }
  return [...fitting, { role: 'user', content: [ask] }];
}
