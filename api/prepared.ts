/** Inbound events on their way to a workflow: large parts to the blob store, and the rest within one update. */
import type { EventParams } from '../events/wire.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { externalize, jsonBytes, PART_LIMIT } from '../store/blobs/parts.ts';
import type { PreparedEvent } from '../workflows/contract.ts';

/** An update is at most 256 KiB; the rest is for what surrounds the events in it. */
const REQUEST_BYTES = 200 * 1024;
/** Below this a part costs more as a reference than as itself. */
const SMALLEST_PART = 256;

/** @returns the events with parts so small that all of them fit one update. */
export async function prepareEvents(sessionId: string, events: EventParams[], blobs: Blobs): Promise<PreparedEvent[]> {
  let limit = PART_LIMIT;
  const total = events.reduce((sum, event) => sum + Math.min(jsonBytes(event), PART_LIMIT), 0);
  if (total > REQUEST_BYTES) limit = Math.max(SMALLEST_PART, Math.floor(REQUEST_BYTES / events.length));
  const prepared: PreparedEvent[] = [];
  for (const event of events) prepared.push(await externalize(sessionId, { event }, blobs, limit));
  return prepared;
}
