/**
 * Object ids. Those of stored objects are random and time-ordered; those of events are computed from what history
 * already holds, so that a replay or a second attempt makes the same ones. No Node built-ins: workflows import this.
 */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz';

/** The workspace that exists from the start. */
export const DEFAULT_WORKSPACE = 'wrkspc_default';

/**
 * Makes an object id such as `agent_01K9…`: 9 characters of time (ms), then 15 of randomness (86 bits).
 * @param random - returns a float in [0, 1); pass a cryptographic source outside tests.
 */
export function newObjectId(prefix: string, now: number, random: () => number): string {
  let time = '';
  for (let rest = now, i = 0; i < 8; i++, rest = Math.floor(rest / ALPHABET.length)) {
    time = ALPHABET[rest % ALPHABET.length] + time;
  }
  let tail = '';
  for (let i = 0; i < 15; i++) tail += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return `${prefix}_01${time}${tail}`;
}

/** The part of an id after its prefix. */
export function idBody(id: string): string {
  return id.slice(id.indexOf('_') + 1);
}

/** The id of a session's primary thread. */
export function primaryThreadId(sessionId: string): string {
  return `sthr_${idBody(sessionId)}`;
}

/** The id of the event that a workflow appends at `seq` of a thread. */
export function eventIdAt(threadId: string, seq: number): string {
  return `sevt_${idBody(threadId)}e${seq.toString(36)}`;
}

/** The id of the outcome whose definition stands at `seq` of a thread. */
export function outcomeIdAt(threadId: string, seq: number): string {
  return `outc_${idBody(threadId)}e${seq.toString(36)}`;
}

/**
 * The id of an event that a model reply brings. `attempt` keeps a second attempt's events apart from previews that a
 * dead first attempt has already shown.
 */
export function replyEventId(threadId: string, request: number, attempt: number, block: number): string {
  return `sevt_${idBody(threadId)}r${request.toString(36)}a${attempt.toString(36)}b${block.toString(36)}`;
}

/** Temporal's workflow id of one evaluation of an outcome, by the id of its start. */
export function gradingWorkflowId(sessionId: string, evaluation: string): string {
  return `grading/${sessionId}/${evaluation}`;
}

/** Temporal's workflow id of a session. */
export function sessionWorkflowId(sessionId: string): string {
  return `session/${sessionId}`;
}
