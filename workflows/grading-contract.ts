/**
 * What a session and the grading of its outcomes say to each other: how an outcome is graded, what one evaluation is
 * given, what comes of it.
 */
import type { BlobPart } from '../events/entry.ts';
import type { ModelUsage } from '../events/wire.ts';
import type { Checkpoint, SandboxRef } from '../sandbox/hands.ts';
import type { ExecuteResult, FailureClass, SessionInputs, SessionSettings } from './contract.ts';

export const GRADING_WORKFLOW = 'grading';

/** How an outcome is graded: `longhand.grader_*` of the session's metadata, as they were when it was defined. */
export interface GraderSettings {
  /** The grader's model; absent: the agent's. */
  model?: string;
  /** A shell command that is run in a copy of the workspace; exit code 0 is a pass. */
  command?: string;
  /** `command`: the command alone decides. `command_then_model`: once it has passed, the model judges too. */
  mode?: 'command' | 'command_then_model';
  /** How long the command may take, ms. */
  timeoutMs?: number;
}

/** One evaluation of an outcome. */
export interface Evaluation {
  /** Id of its `span.outcome_evaluation_start`. */
  id: string;
  outcome: string;
  /** From 0. */
  iteration: number;
  /** seq of the outcome's `user.define_outcome`. */
  defineSeq: number;
  /** seqs of the texts that the agent ended its turn with. */
  replySeqs: number[];
  grader: GraderSettings;
  /** Set when it was begun before and lost with its session: tells this one's workflow and sandbox from the lost ones. */
  again?: number;
}

/** What an evaluation's workflow, sandbox and calls are named by. */
export function evaluationKey({ id, again }: Pick<Evaluation, 'id' | 'again'>): string {
  return again === undefined ? id : `${id}-${again}`;
}

/** Input of the `grading` workflow: one evaluation, beside the session, so that the session's history stays its log. */
export interface GradingInput {
  session: string;
  thread: string;
  agentRev: number;
  harness: string;
  handsQueue: string;
  /** As in `SessionInput`: the copy is made like the agent's own. */
  target?: string;
  image?: string;
  settings: SessionSettings;
  evaluation: Evaluation;
  /** The agent's sandbox, when there is one: a checkpoint of it is what is judged. */
  ref?: SandboxRef;
  /** The newest checkpoint that the session knows. */
  checkpoint?: Checkpoint;
  /** Read-only files that the agent's sandbox holds. */
  inputs?: SessionInputs;
}

/** What an evaluation comes to. `usage` is the sum of the grader's requests. */
export type Grade = {
  usage: ModelUsage;
  /** The files that were judged. */
  judged?: Checkpoint;
} & (
  | { kind: 'verdict'; result: 'satisfied' | 'needs_revision' | 'failed'; explanation: string; blobs?: BlobPart[] }
  /** There is no verdict, and asking again would not bring one. */
  | { kind: 'error'; class: FailureClass; message: string }
  /** The evaluation was cancelled. */
  | { kind: 'stopped' }
);

/** What the agent left under /mnt/session/outputs, as far as a grader is shown it without looking. */
export interface Outputs {
  /** `text` is there for small text files. Paths are absolute. */
  files: { path: string; bytes: number; text?: string }[];
  /** There are more than these. */
  more: boolean;
}

/** One tool call of the grader's. */
export interface GraderCall {
  /** The provider's id. */
  id: string;
  name: string;
  input: Record<string, unknown>;
  inputBlobs?: BlobPart[];
  summary: string;
  timeoutMs: number;
}

/** What a call of the grader's came to. */
export type GraderResult = { id: string } & (ExecuteResult | { kind: 'error'; message: string });

/** What the grading command came to. */
export type CommandResult = Extract<ExecuteResult, { kind: 'finished' }>;

/** Input of `gradeStep`: one request to the grader. Its conversation so far is a chain of blobs. */
export interface GradeStepInput {
  session: string;
  thread: string;
  agentRev: number;
  harness: string;
  evaluation: Evaluation;
  /** Blob with {@link Outputs}. */
  outputs?: string;
  command?: CommandResult;
  /** There are files that tools can look at. */
  tools: boolean;
  /** Blob of the newest link of the conversation; absent in the first request. */
  after?: string;
  /** Results of the calls that the last step asked for. */
  results?: GraderResult[];
  /** No more looking around: only a verdict will do. */
  last: boolean;
}

export type GradeStepResult =
  | {
      kind: 'verdict';
      result: 'satisfied' | 'needs_revision' | 'failed';
      explanation: string;
      blobs?: BlobPart[];
      usage: ModelUsage;
    }
  | { kind: 'calls'; after: string; calls: GraderCall[]; usage: ModelUsage }
  /** Neither a valid verdict nor a call; the grader is told so in the next request. */
  | { kind: 'invalid'; after: string; why: string; usage: ModelUsage }
  | { kind: 'failure'; class: FailureClass; message: string; retryAfterMs?: number; usage?: ModelUsage };
