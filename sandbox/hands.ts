/**
 * The hands: where an agent's commands run. The session, the workflow and the workers know only this interface; a
 * provider (gvisor, kubernetes, self-hosted) implements it. Nothing here knows a model, a database or a credential.
 */
import type { Readable } from 'node:stream';
import type { ResultBlock } from '../events/wire.ts';

/** What a sandbox is made for. Plain data: it travels through Temporal. */
export interface SandboxSpec {
  sessionId: string;
  /**
   * Names a sandbox of the session other than its agent's: a copy for someone else, such as a grader, which the agent's
   * cannot reach. It has generations of its own.
   */
  copy?: string;
  /** Counts up each time a session's sandbox is made anew; every call names it. */
  generation: number;
  /** Blob key of a checkpoint to restore before the first call. */
  restore?: Checkpoint;
  /** Name of one of the operator's targets; absent: the ordinary one. The worker's own list says what it means. */
  target?: string;
  /** Image that the target allows; absent: the target's own. */
  image?: string;
  /** Overrides of the provider's and the target's defaults; absent members keep them. */
  limits?: Partial<SandboxLimits>;
  /** It gets a folder for skills, /workspace/skills, that its agent cannot write to. */
  skills?: true;
}

/** A file that is put into a sandbox from outside, and that its agent can read and not change. */
export interface InputFile {
  /** Absolute, under /mnt/session/uploads or /workspace/skills. */
  path: string;
  sha256: string;
  bytes: number;
  executable?: true;
}

export interface SandboxLimits {
  memoryBytes: number;
  /** CPUs; may be a fraction. */
  cpus: number;
  /** Processes and threads. */
  pids: number;
  /** Bytes that /workspace, home, /tmp and /mnt/session may hold together. */
  diskBytes: number;
  /** Bytes of one call's output that are kept at all. */
  outputBytes: number;
}

/** A live sandbox, as plain data. */
export interface SandboxRef {
  sessionId: string;
  /** As in {@link SandboxSpec}. */
  copy?: string;
  generation: number;
  /** The provider's name for it, e.g. the container id. */
  id: string;
  /** Provider that made it (`gvisor`, …). */
  provider: string;
  /** Task queue of the workers that can reach it, where not every hands worker can (another machine's cannot). */
  queue?: string;
}

/** One tool call. */
export interface ToolCall {
  /** Our event id of the `agent.tool_use`: unique for ever. */
  id: string;
  thread: string;
  /** bash, read, write, edit, glob or grep. */
  name: string;
  input: Record<string, unknown>;
  /** Milliseconds that the call may take, from its start. */
  deadlineMs: number;
  /** Which attempt this is, from 1: the first has certainly not reached a sandbox before. Absent: not known. */
  attempt?: number;
}

/**
 * How a call ended.
 * - `finished`: this is its result, now and whenever it is asked for again.
 * - `unknown`: it was started, and whether it had effects cannot be known.
 * - `lost`: the sandbox of this generation is gone; `started` says what is known of the call.
 */
export type CallOutcome =
  | { kind: 'finished'; content: ResultBlock[]; isError: boolean; startedAt: string; finishedAt: string }
  | { kind: 'unknown'; message: string }
  | {
      kind: 'lost';
      started: 'no' | 'maybe';
      message: string;
      /** Files that were saved when the sandbox was let go in good order; newer than any that the session knows. */
      checkpoint?: Checkpoint;
    };

/** A stored copy of a sandbox's files. */
export interface Checkpoint {
  /** Key in the session's part of the blob store. */
  key: string;
  sha256: string;
  bytes: number;
  /** RFC 3339: the files are as of then. */
  takenAt: string;
}

export interface FileStat {
  /** Absolute path inside the sandbox. */
  path: string;
  type: 'file' | 'directory' | 'symlink' | 'other';
  bytes: number;
  /** RFC 3339. */
  modifiedAt: string;
}

export interface OutputListing {
  /** By path, which is relative to the folder. `sha256` is absent for a file that is too large to be hashed. */
  files: { path: string; bytes: number; sha256?: string }[];
  /** What was passed over, and why. */
  problems: string[];
}

/** Where checkpoints go; the blob store's session prefix, without the rest of the store. */
export interface CheckpointStore {
  put(sessionId: string, body: Readable): Promise<{ key: string; sha256: string; bytes: number }>;
  get(sessionId: string, key: string): Promise<Readable>;
}

/** Thrown by what needs a live sandbox (a checkpoint, its files) when it has ended. Terminal: asking again cannot help. */
export class SandboxGoneError extends Error {
  override name = 'SandboxGoneError';
}

/** Thrown when files do not fit into a sandbox, or cannot be where they should. Terminal, as long as they are the same. */
export class SandboxFullError extends Error {
  override name = 'SandboxFullError';
}

/** Thrown when the files of a sandbox are more than a checkpoint may hold. Terminal, as long as they are the same. */
export class CheckpointTooLargeError extends Error {
  override name = 'CheckpointTooLargeError';
}

export interface Hands {
  readonly provider: string;
  /** Throws with cause and fix when isolation cannot be had here. There is no unsandboxed mode. */
  probe(): Promise<void>;
  /**
   * Makes the sandbox of this generation, or returns the one that is already there: safe to repeat.
   * Sandboxes of the same session, and the same `copy`, with a lower generation are destroyed.
   */
  provision(spec: SandboxSpec, signal: AbortSignal): Promise<SandboxRef>;
  /**
   * Runs a call, or attaches to it if it is running, or returns its recorded result. Never runs a call twice.
   * Rejects only for faults of infrastructure that a later attempt may not meet.
   */
  execute(ref: SandboxRef, call: ToolCall, signal: AbortSignal): Promise<CallOutcome>;
  /** Kills running calls (all of the thread's when `ids` is absent) and records them as interrupted. */
  stopCalls(ref: SandboxRef, thread: string, ids?: string[]): Promise<void>;
  /**
   * Stores the files; undefined when nothing has changed since `since` (the last checkpoint's sha256).
   * @throws CheckpointTooLargeError when they take more than three eighths of the disk limit, packed.
   */
  checkpoint(ref: SandboxRef, since?: string): Promise<Checkpoint | undefined>;
  /**
   * Makes the read-only files of a sandbox be exactly `files`: what is missing is brought in, what is not listed goes.
   * Safe to repeat. @param open - gives the bytes of one. @throws SandboxFullError when they do not fit.
   */
  placeInputs(ref: SandboxRef, files: InputFile[], open: (file: InputFile) => Promise<Readable>): Promise<void>;
  /** The regular files under /mnt/session/outputs, at most `files` of them, with their hashes up to `fileBytes`. */
  listOutputs(ref: SandboxRef, limits: { fileBytes: number; files: number }): Promise<OutputListing>;
  /** Destroys the sandbox and its host files. Safe to repeat. */
  release(ref: SandboxRef): Promise<void>;
  listFiles(ref: SandboxRef, path: string): Promise<FileStat[]>;
  /** Streams one regular file out. */
  readFile(ref: SandboxRef, path: string): Promise<Readable>;
  /** Lets go of connections; the sandboxes live on. */
  close(): Promise<void>;
}
