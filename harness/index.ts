/**
 * The harness: how a log becomes a model request and a reply becomes events. Pure and versioned: a session keeps the
 * one it was started with, because models improve and a harness's assumptions expire.
 */
import type { Message, MessageCreateParamsStreaming } from '@anthropic-ai/sdk/resources/messages';
import type { LogEntry } from '../events/entry.ts';
import type { SampleResult } from '../workflows/contract.ts';
import { type Conversation, emptyConversation, take } from './conversation.ts';
import { type GraderReply, type GraderRequest, type GradingTask, graderRequest, readGraderReply } from './grader.ts';
import { compactionEvents, type ReplyInput, replyEvents } from './reply.ts';
import { buildRequest, type RequestInput } from './request.ts';

type Reply = Extract<SampleResult, { ok: true }>;

export interface Harness {
  empty(): Conversation;
  /** Takes the next log entry, its large parts fetched. */
  take(conversation: Conversation, entry: LogEntry): void;
  request(input: RequestInput): MessageCreateParamsStreaming;
  reply(input: ReplyInput): Reply;
  /** The events of a summary; undefined when the model gave none. */
  summary(input: ReplyInput): Reply | undefined;
  /** The request to an outcome's grader. */
  graderRequest(input: GraderRequest): MessageCreateParamsStreaming;
  /** What a grader's reply comes to. */
  graderReply(message: Message, task: GradingTask, last: boolean): GraderReply;
}

const HARNESSES: Record<string, Harness> = {
  'default@1': {
    empty: emptyConversation,
    take,
    request: buildRequest,
    reply: replyEvents,
    summary: compactionEvents,
    graderRequest,
    graderReply: readGraderReply,
  },
};

/** @throws when this worker is too old or too new to know the harness. */
export function harnessNamed(name: string): Harness {
  const harness = HARNESSES[name];
  if (!harness)
    throw new Error(`This worker does not know the harness "${name}"; it has ${Object.keys(HARNESSES).join(', ')}.`);
  return harness;
}
