/** From the model's reply to the events of the log. */
import type { Message } from '@anthropic-ai/sdk/resources/messages';
import type { SessionEvent } from '../events/wire.ts';
import type { NewEvent, ReplyCall, SampleResult, ToolPolicy } from '../workflows/contract.ts';
import type { ModelSpec } from './model-spec.ts';
import { callSummary } from './tools.ts';

type Reply = Extract<SampleResult, { ok: true }>;

/** Past this part of the window, or when a whole reply would no longer fit, the next request asks for a summary first. */
const COMPACT_AT = 0.8;
/** Filled in by the workflow, whose clock it is. */
const UNSTAMPED = '';

export interface ReplyInput {
  message: Message;
  policies: Record<string, ToolPolicy>;
  model: ModelSpec;
  /** The user stopped the reply: only its text is kept. */
  interrupted: boolean;
  /** The event id of each content block, by index. */
  idOf(block: number): string;
}

export function replyEvents(input: ReplyInput): Reply {
  const { message, policies, interrupted } = input;
  const events: NewEvent[] = [];
  const calls: ReplyCall[] = [];
  message.content.forEach((block, index) => {
    const base = { id: input.idOf(index), processed_at: UNSTAMPED };
    switch (block.type) {
      case 'text':
        if (block.text !== '') {
          events.push({ event: { ...base, type: 'agent.message', content: [{ type: 'text', text: block.text }] } });
        }
        return;
      case 'tool_use': {
        if (interrupted) return;
        const toolInput = isRecord(block.input) ? block.input : {};
        const type = policies[block.name]?.kind === 'custom' ? 'agent.custom_tool_use' : 'agent.tool_use';
        const event = { ...base, type, name: block.name, input: toolInput } as SessionEvent;
        const timeoutMs = typeof toolInput.timeout_ms === 'number' ? toolInput.timeout_ms : 0;
        calls.push({ event: events.length, summary: callSummary(block.name, toolInput), timeoutMs });
        events.push({ event, private: { provider_tool_use_id: block.id } });
        return;
      }
      default:
        // Thinking, and whatever the provider wants back as it was. Without its signature it would be refused.
        if (!interrupted) events.push({ event: { ...base, type: 'agent.thinking' }, private: { block } });
    }
  });
  return { ok: true, events, calls, ...stopOf(message, interrupted), ...usageOf(message), ...fullness(input) };
}

/** The summary that a compaction request brought, as the one event of its reply. */
export function compactionEvents(input: ReplyInput): Reply | undefined {
  // The words of a refusal must not take the conversation's place.
  if (input.message.stop_reason === 'refusal') return undefined;
  const summary = input.message.content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
  if (summary.trim() === '') return undefined;
  const event = { id: input.idOf(0), processed_at: UNSTAMPED, type: 'agent.thread_context_compacted' } as const;
  return {
    ok: true,
    events: [{ event, private: { summary } }],
    calls: [],
    stop: 'compacted',
    ...usageOf(input.message),
  };
}

function stopOf(message: Message, interrupted: boolean): Pick<Reply, 'stop' | 'stopDetails' | 'stopRaw'> {
  if (interrupted) return { stop: 'interrupted' };
  switch (message.stop_reason) {
    case 'end_turn':
    case 'stop_sequence':
      return { stop: 'end_turn' };
    case 'tool_use':
    case 'pause_turn':
    case 'max_tokens':
      return { stop: message.stop_reason };
    case 'model_context_window_exceeded':
      return { stop: 'max_tokens' };
    case 'refusal':
      return { stop: 'refusal', stopDetails: message.stop_details?.type === 'refusal' ? message.stop_details : null };
    default:
      return { stop: 'unknown', stopRaw: String(message.stop_reason) };
  }
}

function usageOf(message: Message): Pick<Reply, 'usage' | 'cacheCreation'> {
  const { usage } = message;
  return {
    usage: {
      input_tokens: usage.input_tokens ?? 0,
      output_tokens: usage.output_tokens ?? 0,
      cache_creation_input_tokens: usage.cache_creation_input_tokens ?? 0,
      cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
      ...(usage.speed ? { speed: usage.speed } : {}),
    },
    ...(usage.cache_creation
      ? {
          cacheCreation: {
            ephemeral_5m_input_tokens: usage.cache_creation.ephemeral_5m_input_tokens,
            ephemeral_1h_input_tokens: usage.cache_creation.ephemeral_1h_input_tokens,
          },
        }
      : {}),
  };
}

function fullness({ message, model }: ReplyInput): Pick<Reply, 'compactNext'> {
  const { usage } = message;
  const tokens =
    usage.input_tokens +
    (usage.cache_creation_input_tokens ?? 0) +
    (usage.cache_read_input_tokens ?? 0) +
    usage.output_tokens;
  return tokens > Math.min(model.window * COMPACT_AT, model.window - model.maxOutput) ? { compactNext: true } : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
