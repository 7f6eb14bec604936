/** Slices of a session's log for other services: what clients may see, in pages that Temporal carries. */
import { type EventEntry, isEventEntry, type LogEntry } from '../events/entry.ts';
import type { SessionEvent } from '../events/wire.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { internalize, jsonBytes } from '../store/blobs/parts.ts';
import type { Queries } from '../store/database.ts';
import type { LogStore } from '../store/log.ts';
import { findSessionRow } from '../store/sessions.ts';
import {
  type EventsPage,
  type GetEventsInput,
  MAX_SERVICE_BYTES,
  type PartedSlice,
} from '../workflows/service-contract.ts';
import { refusal, sessionNotFound } from './service.ts';

const READ_ENTRIES = 500;
/** How long the store may lag behind a post that was answered, ms; then the activity is tried again. */
const LAG_MS = 10_000;
const LOOK_MS = 10;

export interface ReadEventsDeps {
  orm: Queries;
  log: LogStore;
  blobs: Pick<Blobs, 'get'>;
}

export function createReadEvents({ orm, log, blobs }: ReadEventsDeps): (input: GetEventsInput) => Promise<EventsPage> {
  return async function getEvents({ session, thread: asked, from, to, atLeast }) {
    const row = await findSessionRow(orm, session);
    if (!row) throw sessionNotFound(session);
    const thread = asked ?? row.thread;
    if (thread !== row.thread) {
      const message = `thread: Session ${session} has no thread ${thread}.`;
      throw refusal({ status: 404, type: 'not_found_error', message });
    }
    await reaches(session, thread, atLeast);
    const entries: PartedSlice[] = [];
    let bytes = 0;
    const read = await log.read(session, thread, from, to, READ_ENTRIES);
    for (const entry of read) {
      const slice = await visible(session, thread, entry);
      const size = jsonBytes(slice);
      if (bytes + size > MAX_SERVICE_BYTES && entries.length > 0) return { entries, next: entry.seq };
      entries.push(slice);
      bytes += size;
    }
    const last = read.length < READ_ENTRIES ? undefined : read.at(-1);
    return { entries, next: last ? last.seq + 1 : null };
  };

  /** Every entry leaves its workflow in an activity that is tried until the store has it: waiting is all there is to do. */
  async function reaches(session: string, thread: string, seq: number): Promise<void> {
    for (const deadline = Date.now() + LAG_MS; ; ) {
      const head = seq < 0 ? seq : await log.head(session, thread);
      if (head >= seq) return;
      if (Date.now() > deadline) throw new Error(`The log of ${session} is stored up to entry ${head}, not ${seq}.`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Without what only the provider may see; with its large parts where they fit. */
  async function visible(session: string, thread: string, entry: LogEntry): Promise<PartedSlice> {
    if (isEventEntry(entry)) return await whole(session, entry.seq, entry);
    const [first] = await log.read(session, thread, entry.of, entry.of, 1);
    if (!first || !isEventEntry(first)) throw new Error(`Entry ${entry.of} of ${session} is missing from its log.`);
    const slice = await whole(session, entry.seq, first);
    return { ...slice, of: entry.of, event: { ...slice.event, processed_at: entry.processed_at } as SessionEvent };
  }

  async function whole(session: string, seq: number, { event, blobs: away = [] }: EventEntry): Promise<PartedSlice> {
    const parts = away.filter((part) => part.at.startsWith('/event/'));
    if (parts.length === 0) return { seq, event };
    if (parts.reduce((sum, part) => sum + part.bytes, 0) > MAX_SERVICE_BYTES / 2) return { seq, event, parts };
    return { seq, event: (await internalize(session, { event, blobs: parts }, blobs)).event };
  }
}
