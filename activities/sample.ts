/**
 * The model request. First it stores what the workflow's window carries; so whatever the model is shown, and whatever
 * a reader sees, history already holds.
 */

import { type Anthropic, APIError } from '@anthropic-ai/sdk';
import type { Message } from '@anthropic-ai/sdk/resources/messages';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Bus } from '../events/bus.ts';
import { replyEventId } from '../events/ids.ts';
import type { SessionAgent } from '../events/wire.ts';
import { harnessNamed } from '../harness/index.ts';
import type { ModelSpec } from '../harness/model-spec.ts';
import type { SkillSummary } from '../harness/prompt.ts';
import { toolPolicies } from '../harness/tool-policy.ts';
import { BlobCorruptError, BlobMissingError, type Blobs } from '../store/blobs/blobs.ts';
import { PartPathError } from '../store/blobs/parts.ts';
import { LogConflict, type LogStore } from '../store/log.ts';
import type { SampleInput, SampleResult } from '../workflows/contract.ts';
import { createConversations } from './conversations.ts';
import { countingCrashes } from './crashes.ts';
import { withFileBytes } from './file-bytes.ts';
import { BrokenStreamError, failureOf } from './model-client.ts';
import type { ModelSlots } from './model-slots.ts';
import { createPreviews } from './previews.ts';
import { fitReply } from './reply-parts.ts';
import type { Rounds } from './rounds.ts';

export interface SampleDeps {
  log: LogStore;
  blobs: Blobs;
  bus: Bus;
  rounds: Rounds;
  model: Anthropic;
  /** The session's agent at a revision, and its skills. */
  agentOf(sessionId: string, rev: number): Promise<{ agent: SessionAgent; skills: SkillSummary[] }>;
  /** What is known of a model id; unknown ids get stated defaults. */
  modelSpec(id: string): ModelSpec;
  /** One request too many stores what it carries and comes back. */
  slots: ModelSlots;
}

export function createSample(deps: SampleDeps): (input: SampleInput) => Promise<SampleResult> {
  const conversations = createConversations(deps.log, deps.blobs);

  return async function sample(input: SampleInput): Promise<SampleResult> {
    const store = () => deps.log.append(input.carry);
    return await countingCrashes<SampleResult>(
      () => deps.slots.run(() => request(input), store),
      async (crashes) => {
        // The window counts as stored once this returns, whatever else is given up.
        await store();
        return { ok: false, class: 'crashed', message: `The worker died ${crashes} times in this model request.` };
      },
    )
      .catch(asTerminal)
      .finally(() => deps.rounds.ended(input.carry.thread));
  };

  async function request(input: SampleInput): Promise<SampleResult> {
    const { carry } = input;
    const context = Context.current();
    const stop = new AbortController();
    const unsubscribe = await deps.bus.subscribe(carry.session, (note) => {
      if (note.kind === 'abort' && note.thread === carry.thread && note.request >= input.request) stop.abort();
    });
    try {
      const [{ agent, skills }] = await Promise.all([
        deps.agentOf(carry.session, input.agentRev),
        deps.log.append(carry),
      ]);
      const harness = harnessNamed(input.harness);
      const conversation = await conversations.at(carry, input.startSeq, harness);
      const build = () => harness.request({ agent, skills, policies, model, conversation, compact: input.compact });
      const policies = toolPolicies(agent);
      const model = deps.modelSpec(agent.model.id);
      const body = await withFileBytes(byHarness(build), conversation.files, (sha256) =>
        deps.blobs.get(carry.session, sha256),
      );
      const attempt = context.info.attempt;
      const idOf = (block: number) => replyEventId(carry.thread, input.request, attempt, block);
      const previews = input.compact
        ? undefined
        : createPreviews(deps.bus, { ...carry, request: input.request, attempt });
      const signal = AbortSignal.any([stop.signal, context.cancellationSignal]);

      const { message, interrupted } = await streamMessage(deps.model, body, signal, previews, idOf);
      if (context.cancellationSignal.aborted) throw context.cancellationSignal.reason;
      // Half a summary must not take the conversation's place, nor be shown.
      if (input.compact && interrupted) return { ...nothingYet(), compactNext: true };
      if (!message) return nothingYet();
      const reply = { message, policies, model, interrupted, idOf };
      const result = byHarness(() => (input.compact ? harness.summary(reply) : harness.reply(reply)));
      if (!result)
        return { ok: false, class: 'request_failed', message: 'The model gave no summary of the conversation.' };
      return await fitReply(carry.session, result, deps.blobs);
    } catch (error) {
      if (context.cancellationSignal.aborted) throw error;
      const failure = failureOf(error) ?? permanentFault(error);
      if (failure) return failure;
      throw error;
    } finally {
      unsubscribe();
    }
  }
}

/** A defect of the harness, or a conversation that it cannot take: the same at every attempt. */
class HarnessError extends Error {
  override name = 'HarnessError';
}

function byHarness<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new HarnessError(messageOf(error), { cause: error });
  }
}

/** What no further attempt can mend ends the turn in the open instead of being tried for ever. */
function permanentFault(error: unknown): SampleResult | undefined {
  const permanent =
    error instanceof HarnessError ||
    error instanceof BlobMissingError ||
    error instanceof BlobCorruptError ||
    error instanceof PartPathError;
  return permanent
    ? { ok: false, class: 'harness', message: `The model request could not be built: ${error.message}` }
    : undefined;
}

function asTerminal(error: unknown): never {
  if (error instanceof LogConflict) throw ApplicationFailure.nonRetryable(error.message, 'LogConflict');
  throw error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Reads the stream to its end, or to where it is stopped. Throws what the provider says otherwise. */
async function streamMessage(
  client: Anthropic,
  body: ReturnType<ReturnType<typeof harnessNamed>['request']>,
  signal: AbortSignal,
  previews: ReturnType<typeof createPreviews> | undefined,
  idOf: (block: number) => string,
): Promise<{ message: Message; interrupted: false } | { message: Message | undefined; interrupted: true }> {
  const headers = body.speed === 'fast' ? { 'anthropic-beta': 'fast-mode-2026-02-01' } : undefined;
  const stream = client.messages.stream(body, { signal, ...(headers ? { headers } : {}) });
  let partial: Message | undefined;
  stream.on('streamEvent', (event, snapshot) => {
    partial = snapshot;
    if (event.type === 'content_block_start') {
      const { type } = event.content_block;
      if (type === 'text') previews?.start(idOf(event.index), 'agent.message');
      else if (type === 'thinking') previews?.start(idOf(event.index), 'agent.thinking');
    } else if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
      previews?.delta(idOf(event.index), event.delta.text);
    }
  });
  try {
    return { message: await stream.finalMessage(), interrupted: false };
  } catch (error) {
    if (!signal.aborted) {
      throw error instanceof APIError ? error : new BrokenStreamError(messageOf(error), { cause: error });
    }
    return { message: partial, interrupted: true };
  } finally {
    await previews?.end();
  }
}

/** The answer when the user interrupts before anything has arrived. */
function nothingYet(): Extract<SampleResult, { ok: true }> {
  const usage = { input_tokens: 0, output_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
  return { ok: true, events: [], calls: [], stop: 'interrupted', usage };
}
