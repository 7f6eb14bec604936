/**
 * The sessions of a Longhand, for other services: what they may ask, apart from how it is done. Straight over Temporal:
 * no HTTP, no database and no key on the caller's side. Whoever may use the Temporal namespace may do all of this, in
 * every workspace: the namespace is what guards it.
 */
import type { CreateParams, EventParams, Session } from '../events/wire.ts';
import type { AcceptedEvent } from '../workflows/contract.ts';
import type { LogSlice, StartedSession } from '../workflows/service-contract.ts';

export interface Longhand {
  /**
   * Makes a session and starts it. Resolves once its workflow is running; what it was born with stands in its log.
   *
   * @param params - the body of `POST /v1/sessions`, checked in the same way.
   * @param options.idempotencyKey - 1 to 255 characters. The same key makes the same session however often it is asked
   *   for, so a job that crashes may simply be run again. Default: a new one for every call.
   * @throws SessionRefusedError that names the field: an unknown agent, a bad event, a key that made another session.
   * @throws BrainAwayError when no brain answers.
   *
   * @example
   * const { id } = await longhand.startSession(
   *   {
   *     agent: 'agent_01K9…',
   *     environment_id: 'env_01K9…',
   *     initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'Write the weekly report.' }] }],
   *   },
   *   { idempotencyKey: 'weekly-report/2026-W47' },
   * );
   */
  startSession(params: CreateParams, options?: { idempotencyKey?: string }): Promise<StartedSession>;

  /**
   * Starts a session again whose workflow is gone: terminated by an operator, failed, or lost with Temporal's database.
   * It goes on from its log. Calls that were open get an error that says so and are not run again; what waited for a
   * person goes on waiting. Nothing happens while the workflow is open.
   *
   * @returns whether there was something to do.
   * @throws SessionRefusedError 404 for an unknown session, 400 for one that has ended (archived or being deleted).
   *
   * @example
   * try {
   *   await longhand.emitEvent(id, { type: 'user.message', content: [{ type: 'text', text: 'Go on.' }] });
   * } catch (error) {
   *   if (!(error instanceof SessionClosedError)) throw error;
   *   await longhand.wake(id);
   * }
   */
  wake(sessionId: string): Promise<{ woken: boolean }>;

  /**
   * The session object, as `GET /v1/sessions/{id}`; it shows everything that this client has posted.
   *
   * @throws SessionRefusedError 404 for an unknown session.
   *
   * @example
   * const { status, usage } = await longhand.getSession(id);
   */
  getSession(sessionId: string): Promise<Session>;

  /**
   * Posts events. All of them are taken, or none.
   *
   * @param options.wait - `'answer'` (the default): resolves once they stand in the session's log, with their ids and
   *   positions; a duplicate confirmation has none. `'none'`: resolves once Temporal has them (a signal), for callers
   *   that do not care; texts only, and what the session cannot take is dropped with a warning in the brain's log.
   * @param options.requestId - makes a repeat within 10 minutes harmless. Default: a new one for every call.
   * @throws SessionRefusedError when the session refuses them, naming the field.
   * @throws SessionClosedError when its workflow is not open: the session has ended, or see {@link wake}.
   *
   * @example
   * const [event] = await longhand.emitEvent(id, {
   *   type: 'user.message',
   *   content: [{ type: 'text', text: 'And now in French.' }],
   * });
   */
  emitEvent(sessionId: string, events: EventParams | EventParams[], options?: EmitOptions): Promise<AcceptedEvent[]>;

  /**
   * A slice of the log, by position: `from` to `to`, both included, as far as the log goes. It holds everything that
   * this client has posted (with `wait: 'answer'`). What is read passes through Temporal, which keeps it for as long as
   * its namespace keeps finished workflows: to follow a session read on from the last `seq`, not from the start.
   *
   * @param options.thread - default: the session's primary thread.
   * @param options.from - default 0.
   * @param options.to - default: the end.
   * @throws SessionRefusedError 404 for an unknown session or thread.
   *
   * @example
   * for (const { seq, event } of await longhand.getEvents(id, { from: 100 })) console.log(seq, event.type);
   */
  getEvents(sessionId: string, options?: { thread?: string; from?: number; to?: number }): Promise<LogSlice[]>;

  /**
   * Answers a tool call that waits for a person (`session.status_idle` with `requires_action` names it).
   *
   * @param toolUseId - id of the `agent.tool_use` event.
   * @param decision - default: allow. `message` is what the model is told with a denial.
   * @throws SessionRefusedError when no such call is waiting. Answering twice is harmless.
   *
   * @example
   * await longhand.approve(id, toolUseId);
   * await longhand.approve(id, toolUseId, { result: 'deny', message: 'Not on a Friday.' });
   */
  approve(sessionId: string, toolUseId: string, decision?: Decision): Promise<void>;

  /**
   * Stops what the session is doing; it then idles with `end_turn`. Harmless when it does nothing.
   *
   * @throws SessionClosedError when its workflow is not open.
   *
   * @example
   * await longhand.interrupt(id);
   */
  interrupt(sessionId: string): Promise<void>;
}

export interface EmitOptions {
  wait?: 'answer' | 'none';
  requestId?: string;
}

/** What a person says to a tool call. */
export type Decision = { result: 'allow' } | { result: 'deny'; message?: string };

export interface LonghandOptions {
  /** Where the agents and environments of new sessions are; default `wrkspc_default`. */
  workspace?: string;
  /** How long a brain may take for an answer, ms; default 30,000. */
  timeoutMs?: number;
}
