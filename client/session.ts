/**
 * What another service, and the api, does with a session: start, post, read its state in Temporal. Straight over
 * Temporal, typed; nothing here knows HTTP.
 */
import type { WorkflowHandle } from '@temporalio/client';
import type { SessionAnswer, SessionInput, SessionOp } from '../workflows/contract.ts';

export interface SessionClient {
  /** Starts the session's workflow; starting it again is not an error. */
  start(input: SessionInput): Promise<void>;
  /**
   * Posts one request and waits for its answer. Requests of one process to one session travel together, one update at
   * a time. `requestId` makes a repeat harmless for 10 minutes.
   * @throws SessionClosedError when no workflow is open for the session.
   */
  post(sessionId: string, requestId: string, op: SessionOp): Promise<SessionAnswer>;
  /** Removes every run of the session from Temporal. Safe to repeat. */
  erase(sessionId: string): Promise<void>;
  /** Starts a session again whose workflow was lost; not one that has ended in good order, nor one that is open. */
  startAgain(input: SessionInput): Promise<void>;
  /** What Temporal knows of the session's workflow. */
  lookUp(sessionId: string): Promise<SessionStanding>;
  /** True while a workflow is open for the session. */
  isOpen(sessionId: string): Promise<boolean>;
}

/**
 * - `open`: its workflow runs. `ended`: it has ended in good order. `unknown`: Temporal has never heard of it.
 * - `lost`: it was terminated, or it failed. `history` is that of its last run.
 */
export type SessionStanding =
  | { workflow: 'open' | 'ended' | 'unknown' }
  | { workflow: 'lost'; runId: string; history: WorkflowHistory };
export type WorkflowHistory = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** Thrown by `post` when the session's workflow has ended (archived, deleted) or never began. */
export class SessionClosedError extends Error {
  override name = 'SessionClosedError';
  readonly sessionId: string;
  constructor(sessionId: string) {
    super(
      `Session ${sessionId} has no open workflow: it was archived or deleted, or its start never reached Temporal.`,
    );
    this.sessionId = sessionId;
  }
}
