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

/** Conversations kept, and their size together, characters of JSON: images make them large. */
const KEPT = 256;
const KEPT_CHARS = 192 * 1024 * 1024;
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
  const kept = new Map<string, { conversation: Conversation; chars: number }>();

  /** @returns how many characters the conversation has grown by. */
  async function takeAll(sessionId: string, conversation: Conversation, entries: LogEntry[], harness: Harness) {
    let chars = 0;
    for (const entry of entries) {
      if (entry.seq < conversation.next) continue;
      const whole =
        isEventEntry(entry) && entry.blobs ? { ...entry, ...(await internalize(sessionId, entry, blobs)) } : entry;
      harness.take(conversation, whole);
      chars += JSON.stringify(whole).length;
    }
    return chars;
  }

  return {
    async at(carry, upTo, harness) {
      const key = `${carry.session}/${carry.thread}`;
      const cached = kept.get(key);
      kept.delete(key);
      // One that has gone past this request belongs to another attempt.
      const usable = cached !== undefined && cached.conversation.next <= upTo + 1;
      const conversation = usable ? cached.conversation : harness.empty();
      let chars = usable ? cached.chars : 0;
      const window = carry.entries.filter((entry) => entry.seq <= upTo);
      const first = window[0]?.seq ?? upTo + 1;
      while (conversation.next < first) {
        const page = await log.read(carry.session, carry.thread, conversation.next, first - 1, PAGE);
        if (page.length === 0) {
          throw new LogBehindError(
            `The log of ${carry.session} is stored up to entry ${conversation.next - 1}, and entry ${first - 1} is needed.`,
          );
        }
        chars += await takeAll(carry.session, conversation, page, harness);
      }
      chars += await takeAll(carry.session, conversation, window, harness);
      kept.set(key, { conversation, chars });
      let total = 0;
      for (const one of kept.values()) total += one.chars;
      for (const [oldest, { chars: size }] of kept) {
        if (kept.size <= KEPT && total <= KEPT_CHARS) break;
        kept.delete(oldest);
        total -= size;
      }
      return conversation;
    },
  };
}
