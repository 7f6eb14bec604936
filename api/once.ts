/** Makes a request take effect once, however often a client's SDK sends it. The rules stand in `store/idempotency.ts`. */
import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import {
  claim,
  forgetRequest,
  lockOutcome,
  recordDelivery,
  recordOutcome,
  releaseRequest,
} from '../store/idempotency.ts';
import type { Presence } from '../store/presence.ts';
import { type ApiDeps, type Env, makeId, type Request } from './context.ts';
import { ApiError, invalid, loggable } from './errors.ts';

/**
 * How a repeat is made harmless.
 * - `transaction`: the effects are in our database; they are committed together with the answer.
 * - `effects`: they are elsewhere too, and every one of them carries the request's `effectId`; a repeat runs again.
 */
export type Once = 'transaction' | 'effects';

export interface Answer {
  status: 200;
  body: string;
}

/** Longest `Idempotency-Key`. */
export const MAX_KEY = 255;

/**
 * @param presence - tells other apis over the same database which requests this one is busy with.
 * @returns a function that runs a handler once per request; it knows what this process is busy with.
 */
export function createOnce(deps: ApiDeps, presence?: Pick<Presence, 'number'>) {
  /** Requests whose connection is still open: nobody can be retrying them. */
  const busy = new Set<string>();
  const { orm } = deps.database;

  /** Frees the request when its connection ends, and notes when the answer has gone out in full. */
  function watchDelivery(c: Context<Env>, effectId: string, holder: number | null, answered: Promise<boolean>): void {
    busy.add(effectId);
    const ended = async (delivered: boolean) => {
      busy.delete(effectId);
      if (!delivered) await releaseRequest(orm, effectId, holder);
      else if (await answered) await recordDelivery(orm, effectId, new Date(deps.now()));
    };
    const logged = (error: unknown) =>
      deps.log.warn({ err: loggable(error) }, 'an answer could not be marked as delivered');
    const { outgoing } = c.env ?? {};
    // An answer that says "try again" is none: its retry must find the row.
    const whole = () => outgoing?.writableFinished === true && outgoing.statusCode < 500;
    if (outgoing) outgoing.once('close', () => void ended(whole()).catch(logged));
    else void answered.then(() => ended(true)).catch(logged);
  }

  return async function once(
    c: Context<Env>,
    raw: Buffer,
    mode: Once,
    act: (part: Pick<Request, 'db' | 'effectId' | 'since'>) => Promise<object>,
  ): Promise<Answer> {
    const holder = (await presence?.number()) ?? null;
    const attempt = { ...attemptOf(deps, c, raw), busy: [...busy], holder };
    const claimed = await claim(orm, attempt);
    if (claimed.kind === 'mismatch') {
      throw invalid('idempotency-key', 'This key was used for another request within the last 10 minutes.');
    }
    const { requestId: effectId } = claimed;
    if (c.env?.outgoing?.destroyed) {
      // Its retry may have come first, and found nothing to join: what has not begun is not begun any more.
      if (effectId === attempt.requestId) await forgetRequest(orm, effectId);
      else await releaseRequest(orm, effectId, holder);
      throw invalid('', 'The connection was closed before anything was done.');
    }
    const outcome = Promise.withResolvers<boolean>();
    watchDelivery(c, effectId, holder, outcome.promise);
    try {
      const answer =
        claimed.kind === 'answered'
          ? { status: 200 as const, body: claimed.body }
          : await run(mode, effectId, claimed.since, act);
      outcome.resolve(true);
      return answer;
    } catch (error) {
      outcome.resolve(false);
      // Refused: nothing has been done, so there is nothing to join. After a failure the row stays for the retry.
      if (error instanceof ApiError && error.status < 500) await forgetRequest(orm, effectId);
      else await releaseRequest(orm, effectId, holder).catch(() => undefined);
      throw error;
    }
  };

  async function run(
    mode: Once,
    effectId: string,
    since: Date,
    act: (part: Pick<Request, 'db' | 'effectId' | 'since'>) => Promise<object>,
  ): Promise<Answer> {
    if (mode === 'effects') return { status: 200, body: JSON.stringify(await act({ db: orm, effectId, since })) };
    return await orm.transaction(async (tx) => {
      const done = await lockOutcome(tx, effectId);
      if (done) return { status: 200, body: done.body };
      const body = JSON.stringify(await act({ db: tx, effectId, since }));
      await recordOutcome(tx, effectId, 200, body);
      return { status: 200, body };
    });
  }
}

/** The request's `Idempotency-Key`, if it has one. @throws ApiError 400 */
export function keyOf(c: Context<Env>): string | undefined {
  const key = c.req.header('idempotency-key');
  if (key !== undefined && (key === '' || key.length > MAX_KEY)) {
    throw invalid('idempotency-key', `Input must have 1 to ${MAX_KEY} characters`);
  }
  return key;
}

function attemptOf(deps: ApiDeps, c: Context<Env>, raw: Buffer) {
  const { keyId, workspaceId } = c.get('caller');
  const key = keyOf(c);
  const retries = Number(c.req.header('x-stainless-retry-count') ?? 0);
  const fingerprint = createHash('sha256').update(`${keyId}\n${c.req.method}\n${c.req.path}\n`).update(raw).digest();
  return {
    workspaceId,
    fingerprint,
    key,
    number: Number.isInteger(retries) && retries > 0 ? Math.min(retries, 1000) : 0,
    requestId: makeId(deps, 'post'),
    now: new Date(deps.now()),
  };
}
