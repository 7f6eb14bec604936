/**
 * What other services ask of Longhand over Temporal, and what they get: names and types only, so that a workflow of
 * another service may import it too. Each request is a small workflow on the brain queue: a Temporal client reaches
 * workflows, and only activities reach the store.
 */
import type { BlobPart } from '../events/entry.ts';
import type { CreateParams, EventParams, Session, SessionEvent, StopReason } from '../events/wire.ts';
import type { PreparedEvent, SessionInput, SessionInputs } from './contract.ts';

export const START_SESSION = 'startSession';
export const GET_SESSION = 'getSession';
export const GET_EVENTS = 'getEvents';
export const GET_PART = 'getPart';
export const PREPARE_EVENTS = 'prepareEvents';
export const WAKE = 'wake';
export const RUN_SESSION = 'runSession';
export const AWAIT_SESSION = 'awaitSession';

/** Failure type of a request that was refused; its one detail is a {@link Refused}. */
export const REFUSED = 'SessionRefused';

/** Bytes of JSON that an answer, or a request's events, may have: Temporal takes 2 MiB of payload. */
export const MAX_SERVICE_BYTES = 1024 * 1024;

/** Why a request was refused. The same as the HTTP API's answer. */
export interface Refused {
  /** HTTP's number for it: 400 (wrong), 404 (not there), 409 (in conflict). */
  status: number;
  /** `invalid_request_error`, `not_found_error`, … */
  type: string;
  /** For a person; begins with the path of the field where one is wrong: `initial_events.0.content: …`. */
  message: string;
  error_code?: string;
}

export interface StartSessionInput {
  workspace: string;
  /** The same key makes the same session. */
  key: string;
  /** As the body of `POST /v1/sessions`; not checked yet. */
  params: CreateParams;
  /** Refuse a session that has nothing to work on. */
  mustBegin?: boolean;
}

export interface StartedSession {
  id: string;
  /** Its primary thread. */
  thread: string;
  /** How many entries its log holds from the start: what it was born with. */
  initial: number;
}

export interface GetSessionInput {
  session: string;
  /** The store must hold the log up to this entry before it is asked; -1: as it is. */
  atLeast: number;
}

export interface GetEventsInput {
  session: string;
  /** Absent: the primary thread. */
  thread?: string;
  /** First entry. */
  from: number;
  /** Last entry; absent: up to the end. */
  to?: number;
  atLeast: number;
}

/** One entry of the log, as clients may see it. */
export interface LogSlice {
  /** Position in the thread: from 0, without gaps. */
  seq: number;
  event: SessionEvent;
  /** Set on the second appearance of an inbound event, when a turn took it in: where the first one stands. */
  of?: number;
}

/** A slice whose large parts are to be asked for one by one. */
export type PartedSlice = LogSlice & { parts?: BlobPart[] };

export interface EventsPage {
  entries: PartedSlice[];
  /** Where the next page begins; null at the end. */
  next: number | null;
}

export interface GetPartInput {
  session: string;
  sha256: string;
  /** First byte. */
  from: number;
}

export interface PrepareEventsInput {
  session: string;
  /** Not checked yet. */
  events: EventParams[];
}

export interface WakeInput {
  session: string;
}

export interface WakeResult {
  /** False when its workflow was open: there was nothing to do. */
  woken: boolean;
}

/** When a wait for a session ends. */
export interface AwaitOptions {
  /**
   * What to do when the session waits for a person (a confirmation, a custom tool's result): go on waiting, which is
   * the default, or return with that stop reason.
   */
  requires_action?: 'wait' | 'return';
}

/** Input of the workflow `awaitSession`. */
export interface AwaitSessionInput extends AwaitOptions {
  session_id: string;
  /** Only an end that stands after this entry counts; `seq` of an earlier result, or of a post. Default: any. */
  after?: number;
}

/** Input of the workflow `runSession`. */
export interface RunSessionInput extends AwaitOptions {
  /** As the body of `POST /v1/sessions`, with at least one of `initial_events`: a session without has nothing to end. */
  session: CreateParams & Required<Pick<CreateParams, 'initial_events'>>;
  /** Where agent and environment are; default `wrkspc_default`. */
  workspace?: string;
  /** The same key makes the same session. Default: this workflow and its first run, so that a retry makes no second. */
  idempotency_key?: string;
}

/** How a session ended its turn, or itself. */
export interface RunSessionResult {
  session_id: string;
  /** `idle`: it can go on. `terminated`: archived. `deleted`: it is no more. */
  status: 'idle' | 'terminated' | 'deleted';
  /** Why it idles: `end_turn`, `requires_action`, `retries_exhausted`, `refusal`, …; null when it does not. */
  stop_reason: StopReason | null;
  /** The last `agent.message` before that, its text blocks joined; null when there is none. */
  text: string | null;
  /** The text was longer than 256 KiB; `getEvents` has all of it. */
  text_cut?: true;
  /** The entry that ended the wait, for `after` of a later one; -1 when the session is deleted. */
  seq: number;
}

/** The workflow {@link RUN_SESSION}, for `executeChild<RunSession>`. */
export type RunSession = (input: RunSessionInput) => Promise<RunSessionResult>;
/** The workflow {@link AWAIT_SESSION}. */
export type AwaitSession = (input: AwaitSessionInput) => Promise<RunSessionResult>;

/** Activities of these workflows, on the brain queue. */
export interface ServiceActivities {
  startSession(input: StartSessionInput): Promise<StartedSession>;
  getSession(input: GetSessionInput): Promise<Session>;
  getEvents(input: GetEventsInput): Promise<EventsPage>;
  /** Bytes of a large part, from `from` on, as many as fit; fewer than asked at its end. */
  getPart(input: GetPartInput): Promise<Uint8Array>;
  prepareEvents(input: PrepareEventsInput): Promise<PreparedEvent[]>;
  wake(input: WakeInput): Promise<WakeResult>;
  awaitEnd(input: AwaitSessionInput): Promise<RunSessionResult>;
}

/** A refusal is an answer; anything else that goes wrong is thrown, and asked again. */
export type Answered<T> = { ok: true; value: T } | { ok: false; refused: Refused };

/** What the brain asks of the code that also serves HTTP, so that both refuse the same. */
export interface SessionService {
  start(input: StartSessionInput): Promise<Answered<StartedSession>>;
  show(input: GetSessionInput): Promise<Answered<Session>>;
  prepare(input: PrepareEventsInput): Promise<Answered<PreparedEvent[]>>;
  /** The read-only files that the session's sandbox must hold; undefined when it never had any. */
  inputs(session: string): Promise<SessionInputs | undefined>;
  /** Where and of what its sandboxes are to be made, by its environment as it is now. */
  place(session: string): Promise<Answered<Pick<SessionInput, 'handsQueue' | 'target' | 'image'>>>;
  /** Finishes a session that is half made or half removed. False when it is no more. */
  settle(session: string): Promise<boolean>;
}
