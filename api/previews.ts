/** Which previews one stream may still show: of the opted types, from their start, and never after their event. */
import type { Note } from '../events/bus.ts';
import type { PreviewEvent, SessionEvent } from '../events/wire.ts';

export type PreviewNote = Extract<Note, { kind: 'preview' }>;
export type DeltaType = 'agent.message' | 'agent.thinking';

/** Ids of events that are out, so that a late preview of one does not open again. */
const FINISHED_KEPT = 256;

export interface Previews {
  /** The previews of a note that may be shown now. */
  show(note: PreviewNote): PreviewEvent[];
  /** An event of the log has been sent. */
  sent(event: SessionEvent): void;
  /** Some previews were left out: what is open may not go on, for a gap must not look like text. */
  shed(): void;
}

export function createPreviews(wanted: ReadonlySet<DeltaType>): Previews {
  const open = new Set<string>();
  const finished = new Set<string>();
  let newest = '';
  let ended = '';

  function showOne(event: PreviewEvent): boolean {
    if (event.type === 'event_delta') return open.has(event.event_id);
    const { id, type } = event.event;
    if (!wanted.has(type) || finished.has(id) || open.has(id)) return false;
    open.add(id);
    return true;
  }

  return {
    show(note) {
      const request = `${note.request}.${note.attempt}`;
      if (request === ended) return [];
      newest = request;
      return note.events.filter(showOne);
    },
    sent(event) {
      if (event.type === 'span.model_request_end') {
        open.clear();
        ended = newest;
      }
      if (event.type !== 'agent.message' && event.type !== 'agent.thinking') return;
      open.delete(event.id);
      finished.add(event.id);
      for (const oldest of finished) {
        if (finished.size <= FINISHED_KEPT) break;
        finished.delete(oldest);
      }
    },
    shed() {
      for (const id of open) finished.add(id);
      open.clear();
    },
  };
}
