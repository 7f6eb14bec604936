/**
 * One open stream: the thread's log from a position on, as it grows, with previews in between. It reads the store, not
 * the bus: a nudge only says that it is worth looking, and without one it looks once a second.
 */
import type { Note } from '../events/bus.ts';
import { isEventEntry, type LogEntry } from '../events/entry.ts';
import type { SessionEvent } from '../events/wire.ts';
import { BlobCorruptError, BlobMissingError } from '../store/blobs/blobs.ts';
import { internalize, PartPathError } from '../store/blobs/parts.ts';
import { findSessionRow } from '../store/sessions.ts';
import { loggable } from './errors.ts';
import { createFrames, type Frames, frame } from './frames.ts';
import { createPreviews, type DeltaType, type PreviewNote } from './previews.ts';
import { deletedEvent } from './session-life.ts';
import type { SessionParts } from './session-parts.ts';

/** How a stream keeps time, ms. */
export interface StreamTimes {
  /** A comment goes out so often, for proxies and clients that give up on silence. */
  commentMs: number;
  /** The store is looked at so often, in case a nudge was lost. */
  lookMs: number;
  /** A client that does not read for so long is cut off. */
  slowMs: number;
  /** After `session.status_terminated` of a session that is being deleted, `session.deleted` may take so long. */
  deletedMs: number;
}

export const STREAM_TIMES: StreamTimes = { commentMs: 15_000, lookMs: 1_000, slowMs: 30_000, deletedMs: 10_000 };

const READ_ENTRIES = 200;
/** Preview notes that may wait while a client is slow; the rest of those texts comes with their events. */
const WAITING_PREVIEWS = 256;

export interface LiveOptions {
  session: string;
  thread: string;
  /** First seq to send; undefined: what comes from now on. */
  from?: number;
  deltas: ReadonlySet<DeltaType>;
  times: StreamTimes;
  /** Closes the client's connection. */
  cut(): void;
}

/** Resolves once listening and positioned: whatever is written to the log from then on will be sent. */
export async function openLive(parts: SessionParts, options: LiveOptions): Promise<Frames> {
  const { bus, logStore, log } = parts.deps;
  const frames = createFrames(options.times.slowMs, options.cut);
  const previews = createPreviews(options.deltas);
  const waiting: PreviewNote[] = [];
  const nudge = createNudge();
  let changed = true;
  let deleted: Extract<Note, { kind: 'deleted' }> | undefined;

  const unsubscribe = await bus.subscribe(options.session, (note) => {
    if (note.kind === 'deleted') deleted = note;
    else if (!('thread' in note) || note.thread !== options.thread) return;
    else if (note.kind === 'head') changed = true;
    else if (note.kind === 'preview' && options.deltas.size > 0) {
      if (waiting.length < WAITING_PREVIEWS) waiting.push(note);
      else previews.shed();
    }
    nudge.now();
  });
  const comments = setInterval(() => {
    if (frames.hasRoom()) void frames.send(': still here\n\n');
  }, options.times.commentMs);
  frames.signal.addEventListener('abort', () => {
    unsubscribe();
    clearInterval(comments);
    nudge.now();
  });
  let next = options.from ?? (await logStore.head(options.session, options.thread).catch(giveUp)) + 1;
  void frames.send(': listening\n\n');
  void pump().catch(giveUp);
  return frames;

  function giveUp(error: unknown): never {
    frames.end();
    throw error;
  }

  async function pump(): Promise<void> {
    let looked = 0;
    while (!frames.signal.aborted) {
      const due = performance.now() - looked >= options.times.lookMs;
      if (changed || due || deleted) {
        changed = false;
        looked = performance.now();
        try {
          if (await sendLog()) return;
        } catch (error) {
          if (isDamage(error)) return await endDamaged(error);
          log.warn(
            { err: loggable(error), session: options.session },
            'a stream could not read the log; it looks again',
          );
        }
      }
      for (let note = waiting.shift(); note; note = waiting.shift()) await sendPreviews(note);
      if (!changed && !deleted) await nudge.wait(options.times.lookMs);
    }
  }

  /** Sends what is new. @returns true when the stream has ended. */
  async function sendLog(): Promise<boolean> {
    for (;;) {
      const entries = await logStore.read(options.session, options.thread, next, undefined, READ_ENTRIES);
      for (const entry of entries) {
        const event = await toEvent(entry);
        if (event) {
          previews.sent(event);
          await frames.send(frame(event, entry.seq));
        }
        next = entry.seq + 1;
        if (frames.signal.aborted) return true;
        if (event?.type === 'session.status_terminated') return await endAfterTermination();
      }
      if (entries.length < READ_ENTRIES) break;
    }
    if (deleted || (await isGone())) return await endDeleted();
    return false;
  }

  /** The event of an entry; for a second appearance, the event again with its stamp. */
  async function toEvent(entry: LogEntry): Promise<SessionEvent | undefined> {
    if (isEventEntry(entry)) return (await internalize(options.session, entry, parts.deps.blobs)).event;
    const [first] = await logStore.read(options.session, options.thread, entry.of, entry.of, 1);
    if (!first || !isEventEntry(first)) return undefined;
    const { event } = await internalize(options.session, first, parts.deps.blobs);
    return { ...event, processed_at: entry.processed_at } as SessionEvent;
  }

  /** A session that is deleted terminates first; its clients wait for the second of the two events. */
  async function endAfterTermination(): Promise<true> {
    const until = performance.now() + options.times.deletedMs;
    while (performance.now() < until && !frames.signal.aborted) {
      const row = deleted ? undefined : await findSessionRow(parts.deps.database.orm, options.session);
      if (!row) return await endDeleted();
      if (row.phase !== 'deleting') break;
      await nudge.wait(100);
    }
    frames.end();
    return true;
  }

  async function endDeleted(): Promise<true> {
    const at = deleted?.processed_at ?? new Date(parts.deps.now()).toISOString();
    await frames.send(frame(deletedEvent(options.thread, at)));
    frames.end();
    return true;
  }

  /** Waiting would not mend it: the client is told, and can list around it. */
  async function endDamaged(error: Error): Promise<void> {
    log.error({ err: loggable(error), session: options.session }, 'a stream met a damaged entry');
    await frames.send(frame({ type: 'error', error: { type: 'api_error', message: error.message } }));
    frames.end();
  }

  async function isGone(): Promise<boolean> {
    if ((await logStore.head(options.session, options.thread)) >= 0) return false;
    return (await findSessionRow(parts.deps.database.orm, options.session)) === undefined;
  }

  async function sendPreviews(note: PreviewNote): Promise<void> {
    for (const event of previews.show(note)) {
      if (frames.hasRoom()) await frames.send(frame(event));
      else previews.shed();
    }
  }
}

function isDamage(error: unknown): error is Error {
  return error instanceof BlobMissingError || error instanceof BlobCorruptError || error instanceof PartPathError;
}

/** Wakes one waiter; a nudge that comes while nobody waits is kept. */
function createNudge(): { now(): void; wait(ms: number): Promise<void> } {
  let waker: (() => void) | undefined;
  let pending = false;
  return {
    now() {
      pending = true;
      waker?.();
    },
    async wait(ms) {
      if (!pending) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          waker = resolve;
          timer = setTimeout(resolve, ms);
        });
        clearTimeout(timer);
        waker = undefined;
      }
      pending = false;
    },
  };
}
