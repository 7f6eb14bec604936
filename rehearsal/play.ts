/** Plays one request: finds the line, meets its fault if there is one, and says it, whole or as a stream. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Message, MessageCreateParamsBase, StopReason } from '@anthropic-ai/sdk/resources/messages';
import { readConversation } from './conversation.ts';
import { ApiError, errorBody, errorType, invalid } from './errors.ts';
import { sendJson } from './json.ts';
import { MAX_OUTPUT_TOKENS } from './models.ts';
import { locate } from './position.ts';
import { type Answer, speak, stepAt } from './reply.ts';
import type { Fault, Pace, Script } from './script.ts';
import type { RequestRecord, Stage } from './stage.ts';
import { type Beat, beats } from './stream.ts';
import { inputTokens } from './tokens.ts';

/** @throws ApiError for everything that is answered with an error before the first event. */
export async function play(
  stage: Stage,
  script: Script,
  request: MessageCreateParamsBase,
  response: ServerResponse,
  requestId: string,
  record: Pick<RequestRecord, 'wordsAt' | 'endedAt'>,
): Promise<void> {
  if (request.max_tokens > MAX_OUTPUT_TOKENS)
    throw invalid(
      `max_tokens: ${request.max_tokens} > ${MAX_OUTPUT_TOKENS}, which is the maximum allowed number of output tokens for ${request.model}`,
    );
  const tokens = inputTokens(request);
  if (tokens > script.contextWindow)
    throw invalid(`prompt is too long: ${tokens} tokens > ${script.contextWindow} maximum`);
  const conversation = readConversation(request);
  const position = locate(script, conversation);
  if (request.messages.at(-1)?.role === 'assistant' && !position.afterPause)
    throw invalid(
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    );
  const step = stepAt(script, position);
  const pace: Pace = { ...script.pace, ...step.pace, ...stage.pace };
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const pause = (ms: number) => sleep(ms, undefined, { signal: gone.signal });
  const send = async (text: string) => {
    if (text !== '' && !response.write(text)) await once(response, 'drain', { signal: gone.signal });
  };
  const fault = stage.faults.next(step, request);
  try {
    if (fault && fault.afterChunks === undefined) await failAtOnce(fault, response, pause);
    if (response.destroyed) return;
    const answer = speak(script, conversation, position, request);
    const message = toMessage(answer, request, stage);
    if (pace.firstTokenMs > 0) await pause(pace.firstTokenMs);
    if (request.stream)
      await stream({ response, requestId, pause, send, record }, beats(message, answer, pace), pace.chunkMs, fault);
    else {
      if (fault?.afterChunks !== undefined) await failAtOnce(fault, response, pause);
      if (!response.destroyed) sendJson(response, 200, message);
    }
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  }
}

type PauseFor = (ms: number) => Promise<void>;

/** @throws ApiError unless the fault is only a stall, or a connection that is cut. */
async function failAtOnce(fault: Fault, response: ServerResponse, pause: PauseFor): Promise<void> {
  if (fault.stallMs) await pause(fault.stallMs);
  if (fault.drop) response.destroy();
  else if (fault.status !== undefined) throw faultError(fault, fault.status);
}

function faultError(fault: Fault, status: number): ApiError {
  return new ApiError(status, fault.message ?? `${errorType(status)} (rehearsed)`, {
    ...(fault.type !== undefined && { type: fault.type }),
    ...(fault.retryAfter !== undefined && { headers: { 'retry-after': String(fault.retryAfter) } }),
  });
}

/** A client that listens; every wait ends when it goes. */
interface Listener {
  response: ServerResponse;
  requestId: string;
  pause: PauseFor;
  /** Writes, and waits while the client reads more slowly. */
  send(text: string): Promise<void>;
  /** Notes when what went out. */
  record: Pick<RequestRecord, 'wordsAt' | 'endedAt'>;
}

async function stream(to: Listener, script: Iterable<Beat>, chunkMs: number, fault: Fault | undefined): Promise<void> {
  const { response, send, pause, record } = to;
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  response.flushHeaders();
  let chunks = 0;
  let waiting = '';
  for (const { event, paced } of script) {
    if (paced && fault && chunks === fault.afterChunks) {
      await send(waiting);
      waiting = '';
      if (await failMidway(fault, to)) return;
    }
    if (paced) {
      chunks++;
      record.wordsAt ??= Date.now();
    }
    waiting += `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
    if (waiting.length < 16_384 && !(paced && chunkMs > 0)) continue;
    await send(waiting);
    waiting = '';
    if (paced && chunkMs > 0) await pause(chunkMs);
  }
  response.end(waiting);
  record.endedAt = Date.now();
}

/** True when the answer is over. A stall alone lets it go on. */
async function failMidway(fault: Fault, { response, requestId, pause }: Listener): Promise<boolean> {
  if (fault.stallMs) await pause(fault.stallMs);
  if (fault.drop) response.destroy();
  else if (fault.status !== undefined) {
    const { type, message } = faultError(fault, fault.status);
    response.end(`event: error\ndata: ${JSON.stringify(errorBody(type, message, requestId))}\n\n`);
  }
  return fault.drop || fault.status !== undefined;
}

function toMessage(answer: Answer, request: MessageCreateParamsBase, stage: Stage): Message {
  return {
    id: `msg_rehearsal_${randomBytes(9).toString('hex')}`,
    type: 'message',
    role: 'assistant',
    model: request.model,
    content: answer.spoken.map((it) => it.block),
    stop_reason: answer.stopReason as StopReason,
    stop_sequence: answer.stopSequence,
    stop_details: answer.stopDetails,
    container: null,
    diagnostics: null,
    usage: {
      ...stage.cache.count(request),
      output_tokens: answer.outputTokens,
      output_tokens_details: answer.thinkingTokens > 0 ? { thinking_tokens: answer.thinkingTokens } : null,
      server_tool_use: null,
      service_tier: 'standard',
      speed: request.speed ?? 'standard',
      inference_geo: null,
    },
  };
}
