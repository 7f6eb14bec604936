/**
 * The conversations that this worker has at hand, keyed by what they have taken: a model request needs only the
 * entries since. Anything else is read from the store.
 */
import { isEventEntry, type LogEntry } from '../events/entry.ts';
import type { Conversation } from '../harness/conversation.ts';
import type { Harness } from '../harness/index.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { internalize } from '../store/blobs/parts.ts';
import type { LogStore } from '../store/log.ts';
import type { Carry } from '../workflows/contract.ts';

const KEPT = 128;
const PAGE = 1_000;

export interface Conversations {
  /** The conversation up to and including `upTo`; the entries of `carry` need not be read again. */
  at(carry: Carry, upTo: number, harness: Harness): Promise<Conversation>;
}

/** Thrown when the store lacks entries before the window: the activity is retried until they are there. */
export class LogBehindError extends Error {
  override name = 'LogBehindError';
}

export function createConversations(log: LogStore, blobs: Blobs): Conversations {
  const kept = new Map<string, Conversation>();

  async function takeAll(sessionId: string, conversation: Conversation, entries: LogEntry[], harness: Harness) {
    for (const entry of entries) {
      if (entry.seq < conversation.next) continue;
      const whole =
        isEventEntry(entry) && entry.blobs ? { ...entry, ...(await internalize(sessionId, entry, blobs)) } : entry;
      harness.take(conversation, whole);
    }
  }

  return {
    async at(carry, upTo, harness) {
      const key = `${carry.session}/${carry.thread}`;
      const cached = kept.get(key);
      kept.delete(key);
      // One that has gone past this request belongs to another attempt.
      const conversation = cached && cached.next <= upTo + 1 ? cached : harness.empty();
      const window = carry.entries.filter((entry) => entry.seq <= upTo);
      const first = window[0]?.seq ?? upTo + 1;
      while (conversation.next < first) {
        const page = await log.read(carry.session, carry.thread, conversation.next, first - 1, PAGE);
        if (page.length === 0) {
          throw new LogBehindError(
            `The log of ${carry.session} is stored up to entry ${conversation.next - 1}, and entry ${first - 1} is needed.`,
          );
        }
        await takeAll(carry.session, conversation, page, harness);
      }
      await takeAll(carry.session, conversation, window, harness);
      kept.set(key, conversation);
      for (const oldest of kept.keys()) {
        if (kept.size <= KEPT) break;
        kept.delete(oldest);
      }
      return conversation;
    },
  };
}
