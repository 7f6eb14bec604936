/**
 * What another service, and the api, does with a session: start, post, read its state in Temporal. Straight over
 * Temporal, typed; nothing here knows HTTP.
 */
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
  /** True while a workflow is open for the session. */
  isOpen(sessionId: string): Promise<boolean>;
}

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
