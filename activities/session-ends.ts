/**
 * Waiting for the end of a session's turn, which may take days. An activity that sat there would hold a slot of the
 * brain for as long, and a few hundred of them would keep the brain from its work. So it gives its slot up at once
 * (`CompleteAsyncError`), and this room, one per brain, watches all sessions together, beats for their waits, and
 * completes them. When the brain ends or dies, another one takes each wait up again: its outcome depends on the log
 * alone.
 */
import { CompleteAsyncError, Context } from '@temporalio/activity';
import { ActivityCancelledError, ActivityNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Bus } from '../events/bus.ts';
import { sessionHeads } from '../store/sessions.ts';
import type { AwaitSessionInput, RunSessionResult } from '../workflows/service-contract.ts';
import { type EndOfDeps, endOf } from './end-of-turn.ts';

/** All sessions are looked at so often, in case a nudge was lost, ms. One query for all of them. */
const LOOK_MS = 1_000;
/** A third of the heartbeat timeout. */
const BEAT_MS = 10_000;

export interface SessionEndsDeps extends EndOfDeps {
  temporal: Pick<Client, 'activity'>;
  bus: Bus;
  onError(error: Error): void;
}

export interface SessionEnds {
  /** The activity. */
  awaitEnd(input: AwaitSessionInput): Promise<RunSessionResult>;
  /** Hands every wait over to another brain. */
  close(): Promise<void>;
}

interface Wait {
  token: Uint8Array;
  input: AwaitSessionInput;
  beatAt: number;
  /** No entry up to here is its end. */
  after: number;
}

/** A session, and who waits for its end. */
interface Watch {
  waits: Set<Wait>;
  /** Its log's head when it was looked at last; undefined: the session is no more. */
  head: number | undefined;
  looking: boolean;
  /** Something has happened during the look. */
  again: boolean;
  unsubscribe: () => void;
}

export function createSessionEnds(deps: SessionEndsDeps): SessionEnds {
  const { temporal, bus } = deps;
  const watches = new Map<string, Watch>();
  let closed = false;
  let sweeping = false;
  const timer = setInterval(() => void sweep(), LOOK_MS);
  timer.unref();

  async function sweep(): Promise<void> {
    if (sweeping || watches.size === 0) return;
    sweeping = true;
    try {
      const heads = await sessionHeads(deps.pool, [...watches.keys()]);
      for (const [session, watch] of watches) if (heads.get(session) !== watch.head) void look(session, watch);
      await beat();
    } catch (error) {
      report(error);
    } finally {
      sweeping = false;
    }
  }

  async function beat(): Promise<void> {
    const due = [...watches].flatMap(([session, { waits }]) =>
      [...waits].flatMap((wait) => (Date.now() - wait.beatAt >= BEAT_MS ? [{ session, wait }] : [])),
    );
    const beats = due.map(async ({ session, wait }) => {
      wait.beatAt = Date.now();
      await tell(session, wait, () => temporal.activity.heartbeat(wait.token));
    });
    await Promise.all(beats);
  }

  /** One look at a session at a time, and another one after it when something has happened meanwhile. */
  async function look(session: string, watch: Watch): Promise<void> {
    watch.again = true;
    if (watch.looking) return;
    watch.looking = true;
    try {
      while (watch.again) {
        watch.again = false;
        const head = (await sessionHeads(deps.pool, [session])).get(session);
        for (const wait of [...watch.waits]) {
          const result = await endOf(deps, wait.input, wait.after);
          if (result) await tell(session, wait, () => complete(session, wait, result));
          else wait.after = Math.max(wait.after, head ?? -1);
        }
        watch.head = head;
      }
    } catch (error) {
      report(error);
    } finally {
      watch.looking = false;
    }
  }

  async function complete(session: string, wait: Wait, result: RunSessionResult): Promise<void> {
    if (!watches.get(session)?.waits.has(wait)) return;
    await temporal.activity.complete(wait.token, result);
    forget(session, wait);
  }

  /** Whoever does not wait any more (cancelled, or taken up by another brain) is forgotten. */
  async function tell(session: string, wait: Wait, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof ActivityNotFoundError || error instanceof ActivityCancelledError)) throw error;
      forget(session, wait);
    }
  }

  function forget(session: string, wait: Wait): void {
    const watch = watches.get(session);
    if (!watch?.waits.delete(wait) || watch.waits.size > 0) return;
    watches.delete(session);
    watch.unsubscribe();
  }

  /** Database or Temporal are away: a later look may find them, or the waits time out and are taken up elsewhere. */
  function report(error: unknown): void {
    deps.onError(error instanceof Error ? error : new Error(String(error)));
  }

  function watchOf(session: string): Watch {
    const present = watches.get(session);
    if (present) return present;
    const watch: Watch = { waits: new Set(), head: -1, looking: false, again: false, unsubscribe: () => undefined };
    watches.set(session, watch);
    bus
      .subscribe(session, () => void look(session, watch))
      .then((unsubscribe) => {
        watch.unsubscribe = unsubscribe;
        if (watches.get(session) !== watch) unsubscribe();
      }, report);
    return watch;
  }

  return {
    async awaitEnd(input) {
      const { session_id: session, after = -1 } = input;
      const result = await endOf(deps, input, after);
      if (result) return result;
      if (closed) throw over();
      const watch = watchOf(session);
      watch.waits.add({ token: Context.current().info.taskToken, input, beatAt: Date.now(), after });
      // What happened since the look above has gone by this watch.
      void look(session, watch);
      throw new CompleteAsyncError();
    },

    async close() {
      closed = true;
      clearInterval(timer);
      const left = [...watches].flatMap(([session, { waits }]) => [...waits].map((wait) => ({ session, wait })));
      for (const { session, wait } of left) forget(session, wait);
      await Promise.allSettled(left.map(({ wait }) => temporal.activity.fail(wait.token, over())));
    },
  };
}

function over(): ApplicationFailure {
  return ApplicationFailure.retryable('This brain ends; another one goes on waiting.', 'WorkerEnds');
}
