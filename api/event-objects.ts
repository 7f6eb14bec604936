/** Events as lists and streams show them, one schema for each type that Longhand writes. */
import { z } from '@hono/zod-openapi';
import type { PreviewEvent, SessionEvent } from '../events/wire.ts';
import { metadataObject, sessionAgentObject, time } from './agent-object.ts';
import { id } from './common.ts';
import {
  confirmation,
  customToolResult,
  defineOutcome,
  interrupt,
  resultContent,
  systemMessage,
  userMessage,
} from './event-params.ts';
import { usageObject } from './session-object.ts';

/** Null until a turn has taken the event in. */
const received = { id, processed_at: time.nullable() };
const written = { id, processed_at: time };
const bare = <T extends string>(type: T) => z.object({ ...written, type: z.literal(type) });
const ofThread = <T extends string>(type: T) => bare(type).extend({ session_thread_id: id, agent_name: z.string() });

const stopReason = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('end_turn') }),
    z.object({ type: z.literal('requires_action'), event_ids: z.array(id) }),
    z.object({ type: z.literal('retries_exhausted') }),
    z.object({ type: z.literal('refusal') }),
  ])
  .openapi('StopReason');
const stopDetails = z
  .object({
    type: z.literal('refusal'),
    category: z.enum(['cyber', 'bio', 'frontier_llm', 'reasoning_extraction', 'general_harms']).nullable(),
    explanation: z.string().nullable(),
  })
  .nullable();
const stop = { stop_reason: stopReason, stop_details: stopDetails };

const evaluation = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('always_allow') }),
    z.object({ type: z.literal('always_ask') }),
    z.object({
      type: z.literal('auto'),
      evaluated_permission: z.object({ type: z.literal('ask'), reason_code: z.literal('indeterminate') }),
    }),
  ])
  .openapi('ToolEvaluation');
const toolUse = { name: z.string(), input: z.record(z.string(), z.unknown()) };
const count = z.int().min(0);
const modelUsage = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_creation_input_tokens: count,
  cache_read_input_tokens: count,
  speed: z.enum(['standard', 'fast']).nullable().optional(),
});
const cycle = { outcome_id: id, iteration: count };
const error = z
  .object({
    type: z.enum([
      'unknown_error',
      'billing_error',
      'compaction_limit_reached_error',
      'model_overloaded_error',
      'model_rate_limited_error',
      'model_request_failed_error',
    ]),
    message: z.string(),
    retry_status: z.object({ type: z.enum(['retrying', 'exhausted', 'terminal']) }),
  })
  .openapi('SessionErrorBody');

const inLog = [
  userMessage.extend(received),
  interrupt.extend(received),
  confirmation.extend(received),
  customToolResult.extend(received),
  systemMessage.extend(received),
  // A file rubric is shown as its text.
  defineOutcome.extend({
    ...written,
    outcome_id: id,
    rubric: z.object({ type: z.literal('text'), content: z.string() }),
    max_iterations: z.int().nullable(),
  }),
  bare('agent.message').extend({ content: z.array(z.object({ type: z.literal('text'), text: z.string() })) }),
  bare('agent.thinking'),
  bare('agent.thread_context_compacted'),
  bare('agent.tool_use').extend({
    ...toolUse,
    evaluated_permission: z.enum(['allow', 'ask', 'deny']),
    evaluation: evaluation.optional(),
  }),
  bare('agent.tool_result').extend({
    tool_use_id: id,
    content: resultContent.optional(),
    is_error: z.boolean().nullable().optional(),
  }),
  bare('agent.custom_tool_use').extend(toolUse),
  bare('session.error').extend({ error }),
  bare('session.status_running'),
  bare('session.status_idle').extend(stop),
  bare('session.status_rescheduled'),
  bare('session.status_terminated'),
  ofThread('session.thread_status_running'),
  ofThread('session.thread_status_idle').extend(stop),
  ofThread('session.thread_status_rescheduled'),
  ofThread('session.thread_status_terminated'),
  bare('session.updated').extend({
    title: z.string().nullable().optional(),
    metadata: metadataObject.optional(),
    agent: sessionAgentObject.optional(),
  }),
  bare('session.usage').extend({ usage: usageObject, budget: z.null() }),
  bare('span.outcome_evaluation_start').extend(cycle),
  bare('span.outcome_evaluation_ongoing').extend(cycle),
  bare('span.outcome_evaluation_end').extend({
    ...cycle,
    // Empty where the outcome ended before an evaluation had begun.
    outcome_evaluation_start_id: z.string(),
    result: z.enum(['satisfied', 'needs_revision', 'max_iterations_reached', 'failed', 'interrupted']),
    explanation: z.string(),
    usage: modelUsage,
  }),
  bare('span.model_request_start'),
  bare('span.model_request_end').extend({
    model_request_start_id: id,
    is_error: z.boolean().nullable(),
    model_usage: modelUsage,
  }),
] as const;

export const eventObject = z
  .discriminatedUnion('type', [...inLog])
  .openapi('SessionEvent') satisfies z.ZodType<SessionEvent>;

const deltaType = z.enum(['agent.message', 'agent.thinking']);
/** The `data` of a stream's frames. */
export const streamEventObject = z
  .discriminatedUnion('type', [
    ...inLog,
    bare('session.deleted'),
    z.object({ type: z.literal('event_start'), event: z.object({ type: deltaType, id }) }),
    z.object({
      type: z.literal('event_delta'),
      event_id: id,
      delta: z.object({
        type: z.literal('content_delta'),
        index: count.optional(),
        content: z.object({ type: z.literal('text'), text: z.string() }),
      }),
    }),
  ])
  .openapi('SessionStreamEvent') satisfies z.ZodType<SessionEvent | PreviewEvent>;

export const eventPage = z.object({ data: z.array(eventObject), next_page: z.string().nullable() });
/** What was accepted, as it now stands in the log. */
export const sentEvents = z.object({ data: z.array(eventObject) });
