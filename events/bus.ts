/**
 * The bus carries live nudges and token previews between processes. It may lose anything at any time: whoever listens
 * also looks at the store once a second. Nothing that matters travels on it alone.
 */
import type { PreviewEvent } from './wire.ts';

/** One message on the bus. */
export type Note =
  /** The thread's log now reaches `head` (the last seq of its gapless prefix). */
  | { kind: 'head'; session: string; thread: string; head: number }
  /** Previews of a running model request; `request` and `attempt` say which. */
  | { kind: 'preview'; session: string; thread: string; request: number; attempt: number; events: PreviewEvent[] }
  /** A running model request must stop. */
  | { kind: 'abort'; session: string; thread: string; request: number }
  /** The session and its log are gone; streams send `session.deleted` and end. */
  | { kind: 'deleted'; session: string; event_id: string; processed_at: string };

export interface Bus {
  /** Sends one note; at most 8,000 bytes as JSON. Never rejects for want of listeners. */
  publish(note: Note): Promise<void>;
  /** Calls `listener` for each note of a session until the returned function is called. Resolves once listening. */
  subscribe(session: string, listener: (note: Note) => void): Promise<() => void>;
  close(): Promise<void>;
}
