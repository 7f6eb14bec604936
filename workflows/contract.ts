/**
 * What the session workflow and the rest of the system say to each other: its input, its update and signal, and the
 * activities it asks for. Types and names only.
 */
import type { BlobPart, EventEntry, FileBytes, LogEntry } from '../events/entry.ts';
import type { EventParams, ModelUsage, Session, SessionEvent, SessionStatus, StopDetails } from '../events/wire.ts';
import type {
  CallOutcome,
  Checkpoint,
  FileStat,
  InputFile,
  SandboxRef,
  SandboxSpec,
  ToolCall,
} from '../sandbox/hands.ts';

export type { FileStat, InputFile };

import type { GraderSettings, GradeStepInput, GradeStepResult } from './grading-contract.ts';
import type { SessionState } from './state.ts';

export const SESSION_WORKFLOW = 'session';
export const POST = 'post';
/** Query: the session's {@link SandboxPlace}. */
export const SANDBOX_QUERY = 'sandbox';
/** Failure type of an activity that needs a sandbox which has ended. */
export const SANDBOX_GONE = 'SandboxGone';
/** Failure type of a checkpoint that would be more than is kept: the name of the hands' error. */
export const CHECKPOINT_TOO_LARGE = 'CheckpointTooLargeError';
export const FILES_WORKFLOW = 'files';
/** Error code of an update that was computed from what is no longer so. */
export const STALE = 'update_stale';
/**
 * How long a brain may take for a step of a workflow before another one gets it: what a session waits whose brain dies in
 * the middle of a step. A step takes milliseconds, a replay of the longest run (`maxRunEvents`) less than a second.
 */
export const WORKFLOW_TASK_TIMEOUT = '4s';
export const BRAIN_QUEUE = 'brain';
export const HANDS_QUEUE = 'hands';
/** Task queue of the hands workers of one machine, for sandboxes that only those can reach. */
export function machineQueue(handsQueue: string, machine: string): string {
  return `${handsQueue}@${machine}`;
}
/** The harness that new sessions get. */
export const DEFAULT_HARNESS = 'default@1';

/** What a tool name means to the session. Names that are absent are unknown and denied. */
export interface ToolPolicy {
  kind: 'builtin' | 'custom';
  enabled: boolean;
  /** Absent for custom tools, which no policy governs. */
  policy?: 'always_allow' | 'always_ask' | 'auto';
}

/** The frozen part of an agent that decisions need. The rest is read from the store by `sample`. */
export interface AgentPolicy {
  name: string;
  /** Counts the changes of the session's agent; `sample` loads that revision. */
  rev: number;
  tools: Record<string, ToolPolicy>;
}

/** Settings frozen into a session when it starts, so that a replay meets the same ones. */
export interface SessionSettings {
  /** First pause after a model error that may pass, ms; doubles up to `retryMaxMs`. */
  retryInitialMs: number;
  retryMaxMs: number;
  /** Failed requests in a row until the turn ends with `retries_exhausted`. */
  retryLimit: number;
  /** Longest deadline that a call may ask for, ms. */
  callMaxMs: number;
  /** Idle time until the sandbox is checkpointed and let go, ms. */
  sandboxIdleMs: number;
  /** A run is continued as new past any of these. */
  maxRunEvents: number;
  maxRunBytes: number;
  maxRunUpdates: number;
  /** Tool calls that run at once. */
  maxParallelCalls: number;
  /**
   * A sandbox that only one machine's workers can reach counts as lost when none of them takes a task for so long, ms:
   * longer than a worker's restart, since what changed after the last checkpoint is then gone.
   */
  machineWaitMs: number;
  /** How outputs are brought out; absent: they are not. */
  outputs?: OutputLimits;
  /** A `span.outcome_evaluation_ongoing` comes so often, ms; absent in sessions from before there were outcomes. */
  gradingBeatMs?: number;
}

/** How much of /mnt/session/outputs becomes files. */
export interface OutputLimits {
  /** Idle waits so long for it, ms. */
  waitMs: number;
  /** Largest file, bytes; all new ones of one turn together; and how many files there may be. */
  fileBytes: number;
  turnBytes: number;
  files: number;
}

export const DEFAULT_OUTPUT_LIMITS: OutputLimits = { waitMs: 10_000, fileBytes: 500e6, turnBytes: 2e9, files: 1_000 };

export const DEFAULT_SESSION_SETTINGS: SessionSettings = {
  retryInitialMs: 1_000,
  retryMaxMs: 60_000,
  retryLimit: 8,
  callMaxMs: 3_600_000,
  sandboxIdleMs: 300_000,
  maxRunEvents: 600,
  maxRunBytes: 512 * 1024,
  maxRunUpdates: 500,
  maxParallelCalls: 16,
  machineWaitMs: 120_000,
  gradingBeatMs: 10_000,
};

/** Input of the session workflow. */
export interface SessionInput {
  v: 1;
  session: string;
  workspace: string;
  thread: string;
  agent: AgentPolicy;
  /** Which harness builds its model requests, by name and version: `default@1`. */
  harness: string;
  settings: SessionSettings;
  /** Task queue of the hands for this session's target. */
  handsQueue: string;
  /** The operator's target that its sandboxes are of; absent: the ordinary one. */
  target?: string;
  /** Image that its environment asked for; absent: the target's. */
  image?: string;
  /** Read-only files of its sandbox; absent for none. */
  inputs?: SessionInputs;
  /** Events that the session is born with. */
  initial?: PreparedEvent[];
  /** Set by continue-as-new. */
  carried?: SessionState;
  /** Set, beside `carried`, when the session's workflow was lost and is started again from its log. */
  woken?: Woken;
}

/** What a session that was lost is told when it goes on. */
export interface Woken {
  /** Requests that were answered and whose entries were lost, in their order. */
  again: SessionRequest[];
}

/** Which read-only files a session's sandbox must hold. */
export interface SessionInputs {
  /** Counts the changes; an older one changes nothing. */
  rev: number;
  /** Blob of the session with the list as JSON ({@link InputFile}[]); null for an empty one. */
  list: string | null;
  /** There are skills among them. */
  skills?: true;
}

/** An inbound event, checked by the api, its large parts already in the blob store. */
export interface PreparedEvent {
  event: EventParams;
  blobs?: BlobPart[];
  /** The files that its blocks name, by id; their bytes are blobs of the session. */
  files?: Record<string, FileBytes>;
  /** Of a `user.define_outcome`: how it will be graded. */
  grader?: GraderSettings;
}

/** One thing asked of a session. */
export type SessionOp =
  | { op: 'events'; events: PreparedEvent[] }
  | {
      op: 'update';
      title?: string | null;
      metadata?: Record<string, string>;
      /**
       * What the change was computed from: seq of the `session.updated` that the metadata came from, revision of the
       * agent. If another change came between, this one is refused as `STALE`, to be computed again.
       */
      from?: { metadata?: number; agent?: number };
      /** The new tools, when the agent changed; its snapshot is stored under `agent.rev` before this is sent. */
      agent?: AgentPolicy;
      /** The `agent` member of `session.updated`, and its large parts (pointers start with `/event/agent`). */
      agentEvent?: Session['agent'];
      blobs?: BlobPart[];
    }
  | { op: 'archive' }
  | { op: 'delete' }
  /** Makes sure that there is a sandbox, for someone who wants its files; writes nothing to the log. */
  | { op: 'sandbox' }
  /** The session's read-only files have changed; writes nothing to the log. */
  | { op: 'inputs'; inputs: SessionInputs };

/** A request in an update or signal. The same `id` within 10 minutes gets the first answer again. */
export interface SessionRequest {
  id: string;
  op: SessionOp;
}

/** Where an accepted event stands in the log. */
export interface AcceptedEvent {
  id: string;
  seq: number;
  processed_at: string | null;
  /** Of a `user.define_outcome`. */
  outcome_id?: string;
}

export type SessionAnswer =
  | { ok: true; events: AcceptedEvent[] }
  | { ok: false; status: 400 | 404 | 409; type: string; message: string; error_code?: string };

/** What the session's row must say once these entries are stored. Guarded by `seq`: an older one changes nothing. */
export interface RowSnapshot {
  seq: number;
  status: SessionStatus;
  usage: Session['usage'];
  stats: Session['stats'];
  updated_at: string;
  archived_at: string | null;
  /** When the open span of `running` began, RFC 3339, else null: readers add the time since. */
  running_since: string | null;
}

/** Entries on their way out, with where they belong. */
export interface Carry {
  session: string;
  workspace: string;
  thread: string;
  run: string;
  entries: LogEntry[];
  row: RowSnapshot;
}

/** Input of `sample`. Never the conversation: the store has what came before. */
export interface SampleInput {
  carry: Carry;
  request: number;
  /** seq of the request's `span.model_request_start`. */
  startSeq: number;
  agentRev: number;
  harness: string;
  /** Ask for a summary instead of an answer. */
  compact?: Compact;
}

/** A request for a summary, and how often it was halved because it did not fit the window. */
export interface Compact {
  halvings: number;
}

/** Why a model request failed, as far as the session must know. */
export type FailureClass =
  | 'overloaded'
  | 'rate_limited'
  | 'request_failed'
  | 'billing'
  | 'authentication'
  | 'connection'
  | 'crashed'
  | 'harness'
  /** The conversation does not fit the model's window. */
  | 'too_long';

/** An event made outside the workflow; the workflow gives it its seq and stamp. */
export type NewEvent = Pick<EventEntry, 'private' | 'blobs'> & { event: SessionEvent };

/** A tool use in a reply, in the reply's order. `event` is its index in `events`. */
export interface ReplyCall {
  event: number;
  /** Shown in the Temporal UI: "bash: npm test". */
  summary: string;
  /** The call's own deadline, ms; 0 or absent is the default. */
  timeoutMs?: number;
}

export type SampleResult =
  | {
      ok: true;
      /** In order; tool uses have `evaluated_permission` unset: the workflow decides. */
      events: NewEvent[];
      calls: ReplyCall[];
      stop: 'end_turn' | 'tool_use' | 'pause_turn' | 'max_tokens' | 'refusal' | 'interrupted' | 'compacted' | 'unknown';
      stopDetails?: StopDetails;
      /** The provider's stop reason when `stop` is `unknown`. */
      stopRaw?: string;
      usage: ModelUsage;
      cacheCreation?: { ephemeral_5m_input_tokens: number; ephemeral_1h_input_tokens: number };
      /** The context is past 80 % of the window: compact before the next request. */
      compactNext?: true;
    }
  | { ok: false; class: FailureClass; message: string; retryAfterMs?: number; usage?: ModelUsage };

/** Input of `publish`. */
export interface PublishInput {
  carry: Carry;
  /** Tell the worker that samples this request to stop. */
  abort?: number;
  /** The run ends: store its entries as one sealed segment. */
  seal?: { from: number; to: number };
  /** What comes next is a model request: once stored, the answer may come with that one's, a moment later. */
  withRound?: true;
}

export interface ExecuteInput {
  ref: SandboxRef;
  call: ToolCall;
  /** Set when the call's `input` is in the blob store. */
  inputBlobs?: BlobPart[];
}

/** `execute`'s answer: as the hands gave it, its large parts moved to the blob store. */
export type ExecuteResult =
  | (Omit<Extract<CallOutcome, { kind: 'finished' }>, 'content'> &
      Pick<NewEvent, 'blobs'> & {
        content: Extract<CallOutcome, { kind: 'finished' }>['content'];
      })
  | Exclude<CallOutcome, { kind: 'finished' }>;

/** Activities on the brain queue. */
export interface BrainActivities {
  sample(input: SampleInput): Promise<SampleResult>;
  publish(input: PublishInput): Promise<void>;
  /** Makes files of what a list of outputs names, once each. */
  recordOutputs(input: { session: string; list: string }): Promise<void>;
  /** One request to the grader of an outcome. */
  gradeStep(input: GradeStepInput): Promise<GradeStepResult>;
}

/** Activities on a hands queue. */
export interface HandsActivities {
  provision(spec: SandboxSpec): Promise<{ ref: SandboxRef; restored?: Checkpoint }>;
  execute(input: ExecuteInput): Promise<ExecuteResult>;
  stopCalls(input: { ref: SandboxRef; thread: string; ids?: string[] }): Promise<void>;
  /** Makes the sandbox's read-only files be those of a {@link SessionInputs} list. */
  bringIn(input: { ref: SandboxRef; list: string | null }): Promise<void>;
  /**
   * Stores what is new under /mnt/session/outputs.
   * @returns `list` names the blob with all that is there ({@link OutputList}); absent when it is that of `since`.
   */
  collectOutputs(input: {
    ref: SandboxRef;
    limits: OutputLimits;
    since?: string;
  }): Promise<{ list?: string; problems: string[] }>;
  checkpoint(input: { ref: SandboxRef; since?: string }): Promise<Checkpoint | null>;
  /** What was handed in, for a grader: the name of a blob with `Outputs`. */
  readOutputs(input: { ref: SandboxRef }): Promise<{ sha256: string }>;
  release(input: { ref: SandboxRef }): Promise<void>;
  listFiles(input: { ref: SandboxRef; path: string }): Promise<FileStat[]>;
  /** Copies a file into the session's part of the blob store. */
  exportFile(input: { ref: SandboxRef; path: string }): Promise<{ sha256: string; bytes: number }>;
}

/** What has been brought out of a sandbox. */
export interface OutputList {
  /** `path` is relative to /mnt/session/outputs. */
  files: { path: string; sha256: string; bytes: number }[];
  /** What could not be, in the words that were shown. */
  problems: string[];
}

/** Answer of {@link SANDBOX_QUERY}. */
export interface SandboxPlace {
  handsQueue: string;
  /** Absent while the session has no sandbox. */
  ref?: SandboxRef;
}

/** Input of the `files` workflow: one look into a sandbox, for a person. */
export interface FilesInput {
  ref: SandboxRef;
  handsQueue: string;
  path: string;
  /** List a folder, or copy a file to the blob store. */
  want: 'list' | 'export';
}
