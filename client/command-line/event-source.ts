/**
 * A session's events over one connection after the other, without a gap and without a repetition: frames carry the
 * position in the log (docs/divergences.md), and a new connection goes on where the last one was lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsStreamSessionEvents as StreamEvent } from '@anthropic-ai/sdk/resources/beta/sessions';
import { Stream } from '@anthropic-ai/sdk/streaming';

export interface EventSourceOptions {
  /** `start`: the whole log first; `now`: only what comes. */
  from: 'start' | 'now';
  /** With `now`: the newest event of the log just before, in case the connection is lost before anything came. */
  newest?: string;
  /** Also pieces of messages while the model speaks. */
  previews: boolean;
  /** Ends it, without an error. */
  signal: AbortSignal;
  /** Gets a line when the connection is lost, and when it is back. */
  onNote(line: string): void;
  /** Silence after which a connection counts as lost, ms; the server writes something every 15 s. */
  silenceMs?: number;
}

const SILENCE_MS = 45_000;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

type Frames = AsyncGenerator<{ seq?: number; event: StreamEvent }>;

interface Reading {
  api: Anthropic;
  sessionId: string;
  options: EventSourceOptions;
  /** The last position that was read. */
  seen?: number;
}

/**
 * Resolves when listening: whatever happens from then on will be read. The events end with the session, or with the
 * signal.
 * @throws what the SDK throws when the first connection cannot be made; later ones are tried for as long as it takes.
 */
export async function openEvents(
  api: Anthropic,
  sessionId: string,
  options: EventSourceOptions,
): Promise<AsyncGenerator<StreamEvent>> {
  const reading: Reading = { api, sessionId, options };
  const first = await connect(reading, options.from === 'start' ? 0 : undefined);
  return follow(reading, first);
}

async function* follow(reading: Reading, first: Frames): AsyncGenerator<StreamEvent> {
  const { options } = reading;
  /** What was already there when it was opened; only a first connection that brought nothing makes it necessary. */
  let passing: string | undefined;
  for (let frames: Frames | undefined = first; frames; frames = await connectAgain(reading)) {
    let ended = false;
    if (frames !== first && reading.seen === undefined && options.from === 'now') passing = options.newest;
    try {
      for await (const { seq, event } of frames) {
        reading.seen = seq ?? reading.seen;
        ended ||= event.type === 'session.status_terminated' || event.type === 'session.deleted';
        if (passing === undefined) yield event;
        else if ('id' in event && event.id === passing) passing = undefined;
        if (event.type === 'session.deleted') return;
      }
    } catch (error) {
      if (isFinal(error)) throw error;
    }
    if (ended || options.signal.aborted) return;
  }
}

/** One connection. @param from - first position to read; undefined: what comes from now on. */
async function connect(reading: Reading, from: number | undefined): Promise<Frames> {
  const { api, sessionId, options, seen } = reading;
  const over = new AbortController();
  const query = {
    ...(options.previews ? { event_deltas: ['agent.message' as const, 'agent.thinking' as const] } : {}),
    ...(from === undefined || seen !== undefined ? {} : { from }),
  };
  const signal = AbortSignal.any([options.signal, over.signal]);
  const response = await api.beta.sessions.events
    .stream(sessionId, query, {
      signal,
      headers: seen === undefined ? {} : { 'last-event-id': String(seen) },
      maxRetries: 0,
    })
    .asResponse();
  return readFrames(response, over, signal, options.silenceMs ?? SILENCE_MS);
}

/** @returns undefined when there is nothing left to connect to. */
async function connectAgain(reading: Reading): Promise<Frames | undefined> {
  const { signal, onNote } = reading.options;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    await sleep(pause, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return undefined;
    try {
      const frames = await connect(reading, 0);
      if (pause > FIRST_PAUSE_MS) onNote('Connected again.');
      return frames;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (error instanceof Anthropic.NotFoundError) {
        onNote('The session was deleted meanwhile.');
        return undefined;
      }
      if (isFinal(error)) throw error;
      if (pause === FIRST_PAUSE_MS) onNote('The connection was lost; trying again.');
    }
  }
}

async function* readFrames(response: Response, over: AbortController, signal: AbortSignal, silenceMs: number): Frames {
  const watch = setTimeout(() => over.abort(), silenceMs);
  const touch = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      watch.refresh();
      controller.enqueue(chunk);
    },
  });
  try {
    const body = response.body?.pipeThrough(touch, { signal }) ?? null;
    for await (const { event, data, raw } of Stream.rawEvents(new Response(body), over)) {
      if (event === null || event === 'ping') continue;
      const parsed = JSON.parse(data) as StreamEvent & { error?: { message?: string } };
      if (event === 'error') throw new DamagedLog(parsed.error?.message ?? data);
      const seq = raw.find((line) => line.startsWith('id:'))?.slice(3);
      yield { ...(seq === undefined ? {} : { seq: Number(seq) }), event: parsed };
    }
  } finally {
    clearTimeout(watch);
    over.abort();
  }
}

/** The server could not read on; it would say the same again. */
class DamagedLog extends Error {
  override name = 'DamagedLog';
}

/** Another attempt would meet the same answer. */
function isFinal(error: unknown): boolean {
  if (error instanceof DamagedLog) return true;
  const status = error instanceof Anthropic.APIError ? error.status : undefined;
  return status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429;
}
