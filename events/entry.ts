/**
 * The log entry: the one unit that a session's workflow writes and everything else copies. Types and pure functions
 * only; workflows import this file.
 */
import type { SessionEvent } from './wire.ts';

/**
 * Where a large part of an entry is kept. `at` is a JSON pointer (RFC 6901) into `{event, private}`; the value there
 * is `null` while the part is away. `json` says that the part is a JSON value rather than a string.
 * Side by side with the event instead of inside it, so that no content can pretend to be a reference.
 */
export interface BlobPart {
  at: string;
  /** Lower-case hex SHA-256 of the stored bytes: the blob's name under the session's prefix. */
  sha256: string;
  /** Size of the stored bytes. */
  bytes: number;
  json?: true;
}

/** The bytes of a file that an event's block names, as they were when the event was sent. */
export interface FileBytes {
  /** Their blob in the session's part of the store. */
  sha256: string;
  bytes: number;
  mime: string;
}

/** What the model provider needs back and clients must not see. */
export interface PrivatePart {
  /** The provider's own content block (thinking with its signature, redacted thinking). */
  block?: unknown;
  /** The provider's id of a tool use (`toolu_…`); ours are event ids because a model's ids repeat. */
  provider_tool_use_id?: string;
  /** A summary that replaces everything before it in the model's context (`agent.thread_context_compacted`). */
  summary?: string;
  /** The files that an inbound event's blocks name, by file id. */
  files?: Record<string, FileBytes>;
  /** What the session's row, or one of its outcomes, must say from now on. */
  row?: {
    title?: string | null;
    metadata?: Record<string, string>;
    agent_rev?: number;
    /** Outcomes that changed with this entry, in order. */
    outcomes?: OutcomePatch[];
  };
  /** Of an error that is told beside the turn: it ends nothing. */
  aside?: true;
  /** Of an outcome's definition: how it is graded (`GraderSettings` in workflows/grading-contract.ts). */
  grader?: Record<string, unknown>;
  /** Of an evaluation's end: the files that were judged, by their checkpoint's SHA-256. */
  judged?: string;
}

/** Where an outcome stands. Its words are in the log, at these seqs. */
export interface OutcomePatch {
  outcome_id: string;
  define_seq: number;
  result: string;
  iteration: number;
  /** seq of the newest `span.outcome_evaluation_end`, else null. */
  explained_seq: number | null;
  /** RFC 3339, null until it has ended. */
  completed_at: string | null;
}

/** An event's first appearance in the log. */
export interface EventEntry {
  /** Thread id (`sthr_…`); one workflow writes a thread's entries, and only it. */
  thread: string;
  /** Position in the thread: from 0, without gaps. */
  seq: number;
  event: SessionEvent;
  private?: PrivatePart;
  blobs?: BlobPart[];
}

/** The second appearance of an inbound event: it has now been taken into a turn. */
export interface ProcessedEntry {
  thread: string;
  seq: number;
  /** `seq` of the event that was processed. */
  of: number;
  /** RFC 3339, milliseconds. */
  processed_at: string;
}

export type LogEntry = EventEntry | ProcessedEntry;

export function isEventEntry(entry: LogEntry): entry is EventEntry {
  return 'event' in entry;
}
