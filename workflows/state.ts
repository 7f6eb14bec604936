/**
 * What a session's workflow remembers: counters, the open turn, pending asks, the sandbox. Never content: the log has
 * that. Plain JSON, carried through continue-as-new.
 */
import type { BlobPart } from '../events/entry.ts';
import { noUsage } from '../events/usage.ts';
import type { ModelUsage, Session, SessionStatus, StopDetails, StopReason } from '../events/wire.ts';
import type { Checkpoint, SandboxRef } from '../sandbox/hands.ts';
import type { AgentPolicy, SessionAnswer, SessionInput, SessionInputs } from './contract.ts';
import type { GraderSettings } from './grading-contract.ts';

/** One tool use of the open turn, until its result is in the log. */
export interface Call {
  /** Event id of the tool use. */
  id: string;
  name: string;
  summary: string;
  /** Removed once the call has been handed to the hands and answered. */
  input: Record<string, unknown>;
  inputBlobs?: BlobPart[];
  timeoutMs: number;
  /**
   * - `ask`: a person must confirm it. `custom`: the client must answer it.
   * - `ready`: may run. `running`: an `execute` is out. `done`: its result is in the log.
   */
  state: 'ask' | 'custom' | 'ready' | 'running' | 'done';
}

/** The work between a `session.status_running` and the idle that ends it. */
export interface Turn {
  /**
   * - `sampling`: a model request is out, or about to go out.
   * - `acting`: calls run. `waiting`: only people can go on; the session shows idle.
   * - `collecting`: all is done but bringing out what was made; then the session shows idle.
   * - `backoff`: the model failed and will be asked again. `stopping`: interrupted, waiting briefly for what runs.
   * - `grading`: an outcome's grader is at work.
   */
  phase: 'sampling' | 'acting' | 'waiting' | 'collecting' | 'backoff' | 'stopping' | 'grading';
  calls: Call[];
  /** While `collecting`: how the turn ends. Absent when it only waits for people. */
  idle?: { reason: StopReason; details: StopDetails };
  /** Failed model requests in a row. */
  failures: number;
  /** Replies in a row that were cut off at the model's output limit. */
  cutOffs: number;
  /** Summaries in a row that were asked for because the conversation did not fit the window. */
  compactions: number;
  /** How often the request for a summary was halved because it did not fit either. */
  halvings: number;
  /** The open request's `span.model_request_start`. */
  span?: { id: string; seq: number };
  /** The open request asks for a summary. */
  compacting: boolean;
  /** Interrupts to be marked processed when the turn has stopped. */
  interrupts: number[];
}

/** An inbound event that no turn has taken in yet. */
export interface Queued {
  seq: number;
  type: 'user.message' | 'system.message';
  /** A system message that came right after a tool result, and is taken in with it. */
  withResult?: true;
}

/** An answered request, kept 10 minutes so that a repeat gets the same answer. */
export interface Answered {
  id: string;
  at: number;
  answer: SessionAnswer;
}

export interface Sandbox {
  /** Generation of `ref`, or of the last one there was; 0 before the first. */
  generation: number;
  ref?: SandboxRef;
  checkpoint?: Checkpoint;
  /** `inputs.rev` that this generation's sandbox holds. */
  inputs?: number;
  /** Counts what may have changed its files: each call's start and end. */
  changes: number;
  /** `changes` when the last checkpoint was begun: equal means that there is nothing to save. */
  saved: number;
  /** The last checkpoint would have been more than is kept, and people were told. */
  tooLarge?: boolean;
}

/** What the agent works towards, and how far it has come. */
export interface Outcome {
  /** `outc_…` */
  id: string;
  /** seq of its `user.define_outcome`. */
  seq: number;
  maxIterations: number;
  grader: GraderSettings;
  /** From 0. */
  iteration: number;
  /**
   * - `pending`: no model request has shown it yet. `running`: the agent works. `evaluating`: the grader does.
   * - The others are ends.
   */
  result: 'pending' | 'running' | 'evaluating' | 'satisfied' | 'max_iterations_reached' | 'failed' | 'interrupted';
  /** Id of the open evaluation's start. */
  evaluation?: string;
  /** seqs of what the agent said last, which is what is judged. */
  replySeqs?: number[];
  /** Set when the evaluation was broken off: what its requests had cost. */
  spent?: ModelUsage;
  /** seq of the newest evaluation's end. */
  explained?: number;
}

export interface SessionState {
  v: 1;
  session: string;
  workspace: string;
  thread: string;
  agent: AgentPolicy;
  /** seq of the newest `session.updated` that changed the metadata; absent before the first. */
  metadataSeq?: number;
  /** The next entry's seq. */
  seq: number;
  /** ms of the newest `processed_at`: stamps never go back. */
  lastAt: number;
  createdAt: number;
  status: SessionStatus;
  /** ms since when the session is running, else null. */
  runningSince: number | null;
  activeMs: number;
  usage: Session['usage'];
  /** Number of the newest model request. */
  request: number;
  turn: Turn | null;
  queue: Queued[];
  /** The context is nearly full: ask for a summary first. */
  compactNext: boolean;
  answered: Answered[];
  /** Ids of the newest confirmed calls, so that a late duplicate is harmless. */
  confirmed: string[];
  sandbox: Sandbox;
  /** `sandbox.changes` when its outputs were last looked at, and the list of what has been brought out. */
  outputs?: { seen: number; list?: string };
  /** Read-only files that the sandbox must hold before its next call. */
  inputs?: SessionInputs;
  /** The newest outcome, open or ended; absent when there never was one. */
  outcome?: Outcome;
  /** Counts turns: a timer that was set for an older idle time is stale. */
  turns: number;
  ended: null | { how: 'archived' | 'deleted'; at: number };
}

export function initialState(input: SessionInput, now: number): SessionState {
  return {
    v: 1,
    session: input.session,
    workspace: input.workspace,
    thread: input.thread,
    agent: input.agent,
    seq: 0,
    lastAt: 0,
    createdAt: now,
    status: 'idle',
    runningSince: null,
    activeMs: 0,
    usage: noUsage(),
    request: 0,
    turn: null,
    queue: [],
    compactNext: false,
    answered: [],
    confirmed: [],
    sandbox: { generation: 0, changes: 0, saved: 0 },
    turns: 0,
    ended: null,
    ...(input.inputs ? { inputs: input.inputs } : {}),
  };
}
