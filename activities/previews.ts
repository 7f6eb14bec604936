/** Token previews on their way to the bus, batched: they may be lost, and never reach the log. */
import type { Bus } from '../events/bus.ts';
import type { PreviewEvent } from '../events/wire.ts';

/** Between two notes. The first words of a reply do not wait. */
const BATCH_MS = 30;
/** Well under the bus's 8,000 bytes, whatever the text. */
const BATCH_CHARS = 600;

export interface Previews {
  start(id: string, type: 'agent.message' | 'agent.thinking'): void;
  delta(id: string, text: string): void;
  /** Sends what is left. */
  end(): Promise<void>;
}

export function createPreviews(
  bus: Bus,
  source: { session: string; thread: string; request: number; attempt: number },
): Previews {
  let waiting: PreviewEvent[] = [];
  let chars = 0;
  let timer: NodeJS.Timeout | undefined;
  let lastSent = Number.NEGATIVE_INFINITY;
  let sending: Promise<void> = Promise.resolve();

  function send(): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    lastSent = performance.now();
    const events = waiting;
    waiting = [];
    chars = 0;
    sending = sending.then(() => bus.publish({ kind: 'preview', ...source, events })).catch(() => undefined);
  }

  function add(event: PreviewEvent, size: number): void {
    waiting.push(event);
    chars += size;
    if (chars >= BATCH_CHARS) send();
    // What comes in the same moment goes along: a block's start and its first words.
    else timer ??= setTimeout(send, Math.max(0, lastSent + BATCH_MS - performance.now()));
  }

  return {
    start(id, type) {
      add({ type: 'event_start', event: { id, type } }, 100);
    },
    delta(id, text) {
      for (let at = 0; at < text.length; at += BATCH_CHARS) {
        const piece = text.slice(at, at + BATCH_CHARS);
        const last = waiting.at(-1);
        if (last?.type === 'event_delta' && last.event_id === id) {
          last.delta.content.text += piece;
          chars += piece.length;
          if (chars >= BATCH_CHARS) send();
        } else {
          add(
            {
              type: 'event_delta',
              event_id: id,
              delta: { type: 'content_delta', index: 0, content: { type: 'text', text: piece } },
            },
            piece.length + 100,
          );
        }
      }
    },
    async end() {
      send();
      await sending;
    },
  };
}
