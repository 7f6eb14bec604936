/**
 * Starts a session again whose workflow is gone: terminated by an operator, failed, or lost with Temporal's database.
 * What it remembered is told from its log. First the log is completed from what the lost run's history still holds, so
 * that whatever was on its way to the store when the run was lost cannot meet another entry in its place.
 */
import { ApplicationFailure } from '@temporalio/common';
import { toolPolicies } from '../harness/tool-policy.ts';
import type { Queries } from '../store/database.ts';
import { LogConflict, type LogStore } from '../store/log.ts';
import type { Segments } from '../store/segments.ts';
import { findSessionAgent, findSessionRow, type SessionRow } from '../store/sessions.ts';
import type { SessionInput, SessionRequest, SessionSettings } from '../workflows/contract.ts';
import { recall } from '../workflows/reducer/recall.ts';
import type { SessionService, WakeInput, WakeResult } from '../workflows/service-contract.ts';
import { initialState, type SessionState } from '../workflows/state.ts';
import { type History, type LostRun, readLostRun } from './lost-run.ts';
import { refusal, sessionNotFound } from './service.ts';

const READ_ENTRIES = 1_000;

export interface WakeDeps {
  orm: Queries;
  log: LogStore;
  segments: Segments;
  service: Pick<SessionService, 'settle' | 'inputs' | 'place'>;
  /** What Temporal knows of the session's workflow. */
  lookUp(
    session: string,
  ): Promise<{ workflow: 'open' | 'ended' | 'unknown' } | { workflow: 'lost'; runId: string; history: History }>;
  startAgain(input: SessionInput): Promise<void>;
  /** For a session of which nothing says what it was started with. */
  defaults: { harness: string; settings: SessionSettings };
}

export function createWake(deps: WakeDeps): (input: WakeInput) => Promise<WakeResult> {
  const { orm, log } = deps;

  return async function wake({ session }) {
    if (!(await deps.service.settle(session))) throw sessionNotFound(session);
    refuseEnded(await rowOf(session));
    const found = await deps.lookUp(session);
    if (found.workflow === 'open') return { woken: false };
    const lost = found.workflow === 'lost' ? readLostRun(found.history) : undefined;
    for (const carry of lost?.carries ?? []) await log.append(carry).catch(asTerminal);
    // Again: its end may have been among those entries.
    const row = await rowOf(session);
    refuseEnded(row, found.workflow === 'ended');
    const input = await inputOf(row, lost);
    await seal(row, found.workflow === 'lost' ? found.runId : 'unknown', (input.carried?.seq ?? 0) - 1);
    await deps.startAgain(input);
    return { woken: true };
  };

  async function rowOf(session: string): Promise<SessionRow> {
    const row = await findSessionRow(orm, session);
    if (!row) throw sessionNotFound(session);
    return row;
  }

  async function inputOf(row: SessionRow, lost: LostRun | undefined): Promise<SessionInput> {
    const agent = await findSessionAgent(orm, row.id, row.agentRev);
    if (!agent) throw new Error(`The agent of session ${row.id} at revision ${row.agentRev} is missing.`);
    const { harness, settings } = lost?.input ?? deps.defaults;
    const { handsQueue, target, image } = lost?.input ?? (await placeOf(row));
    const inputs = await deps.service.inputs(row.id);
    const base: SessionInput = {
      ...{ v: 1, session: row.id, workspace: row.workspaceId, thread: row.thread },
      agent: { name: agent.name, rev: row.agentRev, tools: toolPolicies(agent) },
      ...{ harness, settings, handsQueue },
      ...(target === undefined ? {} : { target }),
      ...(image === undefined ? {} : { image }),
      ...(inputs ? { inputs } : {}),
    };
    const state = initialState(base, row.createdAt.getTime());
    for (let page = await log.read(row.id, row.thread, 0, undefined, READ_ENTRIES); page.length > 0; ) {
      for (const entry of page) recall(state, entry);
      page = await log.read(row.id, row.thread, state.seq, undefined, READ_ENTRIES);
    }
    remember(state, row, lost);
    return { ...base, carried: state, woken: { again: lostRequests(state, lost) } };
  }

  async function placeOf({ id }: SessionRow) {
    const answer = await deps.service.place(id);
    if (!answer.ok) throw refusal(answer.refused);
    return answer.value;
  }

  /** The lost run cannot do it any more. */
  async function seal(row: SessionRow, run: string, to: number): Promise<void> {
    const from = (await deps.segments.end(row.id, row.thread)) + 1;
    if (from <= to) await deps.segments.seal({ session: row.id, thread: row.thread, run }, from, to);
  }
}

/** Adds what the log does not say. */
function remember(state: SessionState, row: SessionRow, lost: LostRun | undefined): void {
  state.usage = row.usage;
  state.activeMs = Math.round((row.stats.active_seconds ?? 0) * 1_000);
  // The time in which nobody ran it does not count.
  if (state.runningSince !== null) {
    state.activeMs += Math.max(0, state.lastAt - state.runningSince);
    state.runningSince = Date.now();
  }
  // A generation is never made twice; without a history, time says which ones cannot have been.
  state.sandbox = lost?.sandbox ?? { generation: Math.floor(Date.now() / 1_000), changes: 0, saved: 0 };
  const earlier = lost?.input?.carried?.answered ?? [];
  const kept = (lost?.posts ?? []).filter(({ answered }) => !beyond(state, answered.answer));
  state.answered = [...earlier, ...kept.map(({ answered }) => answered)];
}

/** Requests whose entries existed only in the lost workflow's memory: they are made again. */
function lostRequests(state: SessionState, lost: LostRun | undefined): SessionRequest[] {
  const posts = (lost?.posts ?? []).filter(({ answered }) => beyond(state, answered.answer));
  const born = state.seq === 0 ? (lost?.input?.initial ?? []) : [];
  const first: SessionRequest[] = born.length > 0 ? [{ id: 'initial', op: { op: 'events', events: born } }] : [];
  return [...first, ...posts.map(({ request }) => request)];
}

function beyond(state: SessionState, answer: LostRun['posts'][number]['answered']['answer']): boolean {
  return answer.ok && answer.events.some(({ seq }) => seq >= state.seq);
}

function refuseEnded(row: SessionRow, ended = false): void {
  if (!ended && row.phase === 'live' && !row.archivedAt && row.status !== 'terminated') return;
  const message = `Session ${row.id} has ended; it cannot be woken.`;
  throw refusal({ status: 400, type: 'invalid_request_error', message });
}

function asTerminal(error: unknown): never {
  if (error instanceof LogConflict) throw ApplicationFailure.nonRetryable(error.message, 'LogConflict');
  throw error;
}
