/** The events that clients send: their schemas, and the rules of one request. */
import { z } from '@hono/zod-openapi';
import type { EventParams } from '../events/wire.ts';
import { id } from './common.ts';
import { invalid } from './errors.ts';

const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'] as const;
/** Most events of one request. */
const MAX_EVENTS = 500;
const MAX_INITIAL_EVENTS = 50;

const base64 = z.string().min(1).refine(isBase64, 'Input is not valid base64');
const httpUrl = z
  .url({ protocol: /^https?$/ })
  .max(4096)
  .regex(/^https?:\/\//i, 'Input is not an http(s) URL');
const fileSource = z.strictObject({ type: z.literal('file'), file_id: id });
const urlSource = z.strictObject({ type: z.literal('url'), url: httpUrl });

const textBlock = z.strictObject({ type: z.literal('text'), text: z.string() });
const saidText = z.strictObject({ type: z.literal('text'), text: z.string().min(1) });
const imageBlock = z.strictObject({
  type: z.literal('image'),
  source: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('base64'), media_type: z.enum(IMAGES), data: base64 }),
    urlSource,
    fileSource,
  ]),
});
const documentBlock = z.strictObject({
  type: z.literal('document'),
  source: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('base64'), media_type: z.literal('application/pdf'), data: base64 }),
    z.strictObject({ type: z.literal('text'), media_type: z.literal('text/plain'), data: z.string().min(1) }),
    urlSource,
    fileSource,
  ]),
  title: z.string().max(1000).nullable().optional(),
  context: z.string().nullable().optional(),
});
const searchResult = z.strictObject({
  type: z.literal('search_result'),
  source: z.string().min(1),
  title: z.string(),
  content: z.array(textBlock).min(1),
  citations: z.strictObject({ enabled: z.boolean() }),
});
export const resultContent = z
  .array(z.discriminatedUnion('type', [textBlock, imageBlock, documentBlock, searchResult]))
  .max(1000);

export const userMessage = z.strictObject({
  type: z.literal('user.message'),
  content: z
    .array(z.discriminatedUnion('type', [saidText, imageBlock, documentBlock]))
    .min(1)
    .max(1000),
});
export const interrupt = z.strictObject({
  type: z.literal('user.interrupt'),
  session_thread_id: id.nullable().optional(),
});
export const confirmation = z.strictObject({
  type: z.literal('user.tool_confirmation'),
  tool_use_id: id,
  result: z.enum(['allow', 'deny']),
  deny_message: z.string().max(10_000).nullable().optional(),
});
export const customToolResult = z.strictObject({
  type: z.literal('user.custom_tool_result'),
  custom_tool_use_id: id,
  content: resultContent.optional(),
  is_error: z.boolean().nullable().optional(),
});
const toolResult = z.strictObject({
  type: z.literal('user.tool_result'),
  tool_use_id: id,
  content: resultContent.optional(),
  is_error: z.boolean().nullable().optional(),
});
export const defineOutcome = z.strictObject({
  type: z.literal('user.define_outcome'),
  description: z
    .string()
    .min(1)
    .refine((text) => text.trim() !== '', 'An outcome must say something'),
  rubric: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('text'), content: z.string().min(1).max(262_144) }),
    fileSource,
  ]),
  max_iterations: z.int().min(1).max(20).nullable().optional(),
});
export const systemMessage = z.strictObject({
  type: z.literal('system.message'),
  content: z.array(saidText).min(1).max(1000),
});

const event = z.discriminatedUnion('type', [
  userMessage,
  interrupt,
  confirmation,
  customToolResult,
  toolResult,
  defineOutcome,
  systemMessage,
]);

export const sendBody = z.strictObject({ events: z.array(event).min(1).max(MAX_EVENTS) });
export const initialEvents = z
  .array(z.discriminatedUnion('type', [userMessage, defineOutcome]))
  .max(MAX_INITIAL_EVENTS);

/** What the rules of a request depend on. */
export interface EventRules {
  thread: string;
  /** The session's model takes `role: "system"` within a conversation. */
  systemMessages: boolean;
  modelId: string;
}

/** @param at - the list's path. @throws ApiError 400 that names the event's field. */
export function checkEvents(events: EventParams[], rules: EventRules, at: string): void {
  for (const [index, one] of events.entries()) {
    const path = `${at}.${index}`;
    switch (one.type) {
      case 'user.tool_result':
        throw invalid(`${path}.type`, 'user.tool_result is accepted only by sessions of self_hosted environments');
      case 'user.tool_confirmation':
        if (one.result === 'allow' && one.deny_message)
          throw invalid(`${path}.deny_message`, 'Only allowed when result is "deny"');
        break;
      case 'user.interrupt':
        if (one.session_thread_id && one.session_thread_id !== rules.thread) {
          throw invalid(`${path}.session_thread_id`, `This session has no thread ${one.session_thread_id}`);
        }
        break;
      case 'system.message':
        checkSystemMessage(events, index, rules, path);
        break;
      default:
    }
  }
}

/** At most one, last, and right after what it comments on; alone it stands for itself. */
function checkSystemMessage(events: EventParams[], index: number, rules: EventRules, path: string): void {
  if (!rules.systemMessages) {
    throw invalid(
      `${path}.type`,
      `The model ${rules.modelId} does not take system messages within a conversation`,
      'model_does_not_support_mid_conversation_system',
    );
  }
  if (index !== events.length - 1)
    throw invalid(`${path}.type`, 'A system.message must be the last event of its request, and the only one');
  const before = events[index - 1]?.type;
  if (before === undefined || before === 'user.message' || before === 'user.custom_tool_result') return;
  throw invalid(`${path}.type`, 'A system.message must directly follow a user.message or user.custom_tool_result');
}

/** Without a regular expression over the whole: a picture may have 27 million characters. */
function isBase64(data: string): boolean {
  if (data.length % 4 !== 0) return false;
  const padding = data.endsWith('==') ? 2 : data.endsWith('=') ? 1 : 0;
  for (let index = 0; index < data.length - padding; index++) {
    const code = data.charCodeAt(index);
    const letter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
    if (!letter && code !== 43 && code !== 47) return false;
  }
  return true;
}
