/**
 * Waiting for the end of a session's turn, which may take days. An activity that sat there would hold a slot of the
 * brain for as long, and a hundred of them would keep the brain from its work. So it gives its slot up at once
 * (`CompleteAsyncError`), and this room, one per brain, watches all sessions together, beats for them, and completes
 * them. When the brain ends or dies, another one takes each wait up again: its outcome depends on the log alone.
 */
import { CompleteAsyncError, Context } from '@temporalio/activity';
import { ActivityCancelledError, ActivityNotFoundError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { Pool } from 'pg';
import type { Bus } from '../events/bus.ts';
import type { EventOf } from '../events/wire.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { internalize } from '../store/blobs/parts.ts';
import type { Queries } from '../store/database.ts';
import { listEventEntries } from '../store/session-events.ts';
import { findSessionRow, type SessionRow } from '../store/sessions.ts';
import type { AwaitSessionInput, RunSessionResult } from '../workflows/service-contract.ts';

/** All sessions are looked at so often, in case a nudge was lost, ms. */
const LOOK_MS = 1_000;
/** A third of the heartbeat timeout. */
const BEAT_MS = 10_000;
/** Text of a result, characters. */
const MAX_TEXT = 256 * 1024;
const READ_ENDS = 100;

export interface SessionEndsDeps {
  temporal: Pick<Client, 'activity'>;
  pool: Pool;
  orm: Queries;
  bus: Bus;
  blobs: Pick<Blobs, 'get'>;
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
  /** A look is under way; another one is wanted after it. */
  looking: boolean;
  again: boolean;
  /** Entries up to here are no end. */
  after: number;
  unsubscribe?: () => void;
}

export function createSessionEnds(deps: SessionEndsDeps): SessionEnds {
  const { temporal, bus } = deps;
  const waits = new Set<Wait>();
  const timer = setInterval(() => {
    for (const wait of waits) void look(wait);
  }, LOOK_MS);
  timer.unref();

  async function look(wait: Wait): Promise<void> {
    if (wait.looking) {
      wait.again = true;
      return;
    }
    wait.looking = true;
    try {
      do {
        wait.again = false;
        const result = await endOf(deps, wait);
        if (!waits.has(wait)) return;
        if (result) {
          await temporal.activity.complete(wait.token, result);
          return forget(wait);
        }
        await beat(wait);
      } while (wait.again);
    } catch (error) {
      // Nobody waits any more: the workflow was cancelled, or another brain has the wait.
      if (error instanceof ActivityNotFoundError || error instanceof ActivityCancelledError) forget(wait);
      // The database or Temporal is away: the next look may find them, or the wait times out and is taken up elsewhere.
      else deps.onError(error instanceof Error ? error : new Error(String(error)));
    } finally {
      wait.looking = false;
    }
  }

  async function beat(wait: Wait): Promise<void> {
    if (Date.now() - wait.beatAt < BEAT_MS) return;
    wait.beatAt = Date.now();
    await temporal.activity.heartbeat(wait.token);
  }

  function forget(wait: Wait): void {
    waits.delete(wait);
    wait.unsubscribe?.();
  }

  return {
    async awaitEnd(input) {
      const at = { token: Context.current().info.taskToken, beatAt: Date.now() };
      const wait: Wait = { ...at, input, looking: false, again: false, after: input.after ?? -1 };
      const result = await endOf(deps, wait);
      if (result) return result;
      wait.unsubscribe = await bus.subscribe(input.session_id, () => void look(wait));
      waits.add(wait);
      throw new CompleteAsyncError();
    },

    async close() {
      clearInterval(timer);
      const left = [...waits];
      for (const wait of left) forget(wait);
      const over = ApplicationFailure.retryable('This brain ends; another one goes on waiting.', 'WorkerEnds');
      await Promise.allSettled(left.map(({ token }) => temporal.activity.fail(token, over)));
    },
  };
}

/** The end that a wait is for, when the log has it. */
async function endOf(deps: SessionEndsDeps, wait: Wait): Promise<RunSessionResult | undefined> {
  const { session_id, requires_action = 'wait' } = wait.input;
  const row = await findSessionRow(deps.orm, session_id);
  // Its caller has started it or names it: what is not there any more was deleted.
  if (!row) return { session_id, status: 'deleted', stop_reason: null, text: null, seq: -1 };
  for (;;) {
    const ends = await listEventEntries(deps.pool, session_id, row.thread, {
      order: 'asc',
      limit: READ_ENDS,
      after: wait.after,
      types: ['session.status_idle', 'session.status_terminated'],
    });
    for (const { seq, event } of ends) {
      const stop_reason = event.type === 'session.status_idle' ? event.stop_reason : null;
      if (stop_reason?.type === 'requires_action' && requires_action === 'wait') {
        wait.after = seq;
        continue;
      }
      const status = stop_reason ? 'idle' : 'terminated';
      return { session_id, status, stop_reason, ...(await lastText(deps, row, seq)), seq };
    }
    if (ends.length < READ_ENDS) return undefined;
  }
}

async function lastText(
  { pool, blobs }: SessionEndsDeps,
  row: SessionRow,
  before: number,
): Promise<Pick<RunSessionResult, 'text' | 'text_cut'>> {
  const query = { order: 'desc', limit: 1, after: before, types: ['agent.message'] } as const;
  const [last] = await listEventEntries(pool, row.id, row.thread, { ...query, types: [...query.types] });
  if (!last) return { text: null };
  const { content } = (await internalize(row.id, last, blobs)).event as EventOf<'agent.message'>;
  const text = content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  return text.length > MAX_TEXT ? { text: text.slice(0, MAX_TEXT), text_cut: true } : { text };
}
