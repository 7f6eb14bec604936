/** Makes a reply small enough for history: its large parts go to the blob store. */
import type { Blobs } from '../store/blobs/blobs.ts';
import { externalize, jsonBytes, PART_LIMIT } from '../store/blobs/parts.ts';
import type { NewEvent, SampleResult } from '../workflows/contract.ts';

/** An activity's result at most, bytes of JSON. */
const MAX_RESULT_BYTES = 64 * 1024;
const MIN_PART_BYTES = 512;

type Reply = Extract<SampleResult, { ok: true }>;

/** Many middling parts may still be too much together: then the limit for each is halved until they fit. */
export async function fitReply(sessionId: string, reply: Reply, blobs: Blobs): Promise<Reply> {
  for (let limit = PART_LIMIT; ; limit /= 2) {
    const events: NewEvent[] = [];
    for (const made of reply.events) events.push((await externalize(sessionId, made, blobs, limit)) as NewEvent);
    const fitted = { ...reply, events };
    if (limit <= MIN_PART_BYTES || jsonBytes(fitted) <= MAX_RESULT_BYTES) return fitted;
  }
}
