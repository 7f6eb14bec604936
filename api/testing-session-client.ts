/**
 * A stand-in for Temporal in this room's tests: it accepts what the session workflow accepts and writes the same kind of
 * log through the real store. What a workflow decides is tested where workflows are.
 */
import { type SessionClient, SessionClosedError } from '../client/session.ts';
import type { LogEntry, PrivatePart } from '../events/entry.ts';
import { eventIdAt } from '../events/ids.ts';
import type { SessionEvent } from '../events/wire.ts';
import type { LogStore } from '../store/log.ts';
import type { RowSnapshot, SessionAnswer, SessionInput, SessionOp } from '../workflows/contract.ts';

interface Run {
  input: SessionInput;
  seq: number;
  open: boolean;
  status: RowSnapshot['status'];
  archivedAt: string | null;
  answers: Map<string, SessionAnswer>;
}

export interface StandIn {
  client: SessionClient;
  runs: Map<string, Run>;
  /** Every op that was carried out, in order. */
  ops: { session: string; id: string; op: SessionOp }[];
  starts: string[];
  /** Appends an event of the agent or the session, as publish would. */
  append(session: string, event: Partial<SessionEvent> & { type: SessionEvent['type'] }, more?: Extra): Promise<number>;
  /** Marks an inbound event as taken into a turn. */
  process(session: string, seq: number): Promise<number>;
  setStatus(session: string, status: RowSnapshot['status']): void;
  /** The next starts and posts fail like an unreachable Temporal. */
  broken: { start: boolean; post: 'before' | 'after' | undefined };
  /** How long the store lags behind an answer, ms. */
  lagMs: number;
}
type Extra = Pick<LogEntry & { blobs?: unknown }, never> & { private?: PrivatePart; blobs?: never };

export function createStandIn(logStore: LogStore): StandIn {
  const runs = new Map<string, Run>();

  function runOf(session: string): Run {
    const run = runs.get(session);
    if (!run) throw new SessionClosedError(session);
    return run;
  }

  async function store(run: Run, entries: LogEntry[]): Promise<void> {
    const { session, workspace, thread } = run.input;
    const last = entries.at(-1)?.seq ?? -1;
    const at = new Date().toISOString();
    await logStore.append({
      session,
      workspace,
      thread,
      run: 'run',
      entries,
      row: {
        seq: last,
        status: run.status,
        usage: { input_tokens: 0, output_tokens: 0, active_seconds: 1 },
        stats: { active_seconds: 1 },
        updated_at: at,
        archived_at: run.archivedAt,
        running_since: run.status === 'running' ? at : null,
      },
    });
  }

  function entryOf(run: Run, event: object, extra: object = {}): LogEntry {
    const seq = run.seq++;
    const { thread } = run.input;
    const stamped = { processed_at: new Date().toISOString(), id: eventIdAt(thread, seq), ...event } as SessionEvent;
    return { thread, seq, event: stamped, ...extra };
  }

  const standIn: StandIn = {
    runs,
    ops: [],
    starts: [],
    broken: { start: false, post: undefined },
    lagMs: 0,

    async append(session, event, more = {}) {
      const run = runOf(session);
      const entry = entryOf(run, event, more);
      await store(run, [entry]);
      return entry.seq;
    },
    async process(session, seq) {
      const run = runOf(session);
      const entry = { thread: run.input.thread, seq: run.seq++, of: seq, processed_at: new Date().toISOString() };
      await store(run, [entry]);
      return entry.seq;
    },
    setStatus(session, status) {
      runOf(session).status = status;
    },

    client: {
      async start(input) {
        if (standIn.broken.start) throw new Error('Temporal is away');
        if (runs.has(input.session)) return;
        standIn.starts.push(input.session);
        const run: Run = { input, seq: 0, open: true, status: 'idle', archivedAt: null, answers: new Map() };
        runs.set(input.session, run);
        const { initial = [] } = input;
        if (initial.length === 0) return;
        run.status = 'running';
        const entries = initial.map((one) => entryOf(run, { ...one.event, processed_at: null }, { blobs: one.blobs }));
        await store(run, entries);
      },

      async post(sessionId, requestId, op) {
        if (standIn.broken.post === 'before') throw new Error('Temporal is away');
        const run = runOf(sessionId);
        const known = run.answers.get(requestId);
        if (!known && !run.open) throw new SessionClosedError(sessionId);
        const answer = known ?? (await act(run, requestId, op));
        run.answers.set(requestId, answer);
        if (standIn.broken.post === 'after') throw new Error('Temporal went away');
        return answer;
      },

      async erase(sessionId) {
        runs.delete(sessionId);
      },
      async isOpen(sessionId) {
        return runs.get(sessionId)?.open ?? false;
      },
    },
  };

  async function act(run: Run, id: string, op: SessionOp): Promise<SessionAnswer> {
    const { session } = run.input;
    const refuse = (message: string): SessionAnswer => ({
      ok: false,
      status: 400,
      type: 'invalid_request_error',
      message,
    });
    if ((op.op === 'archive' || op.op === 'delete') && run.status === 'running')
      return refuse('The session is running.');
    standIn.ops.push({ session, id, op });
    if (op.op === 'events') {
      const entries = op.events.map((one) => entryOf(run, { ...one.event, processed_at: null }, { blobs: one.blobs }));
      later(() => store(run, entries));
      const events = entries.map((entry) => ({
        id: eventIdAt(entry.thread, entry.seq),
        seq: entry.seq,
        processed_at: null,
      }));
      return { ok: true, events };
    }
    if (op.op === 'update') {
      const row = { title: op.title, metadata: op.metadata, agent_rev: op.agent?.rev };
      const event = { type: 'session.updated', title: op.title, metadata: op.metadata, agent: op.agentEvent };
      const entry = entryOf(run, JSON.parse(JSON.stringify(event)), {
        blobs: op.blobs,
        private: JSON.parse(JSON.stringify({ row })),
      });
      later(() => store(run, [entry]));
      return { ok: true, events: [{ id: eventIdAt(entry.thread, entry.seq), seq: entry.seq, processed_at: null }] };
    }
    run.open = false;
    run.status = 'terminated';
    run.archivedAt = new Date().toISOString();
    const entry = entryOf(run, { type: 'session.status_terminated' });
    if (op.op === 'archive') later(() => store(run, [entry]));
    else await store(run, [entry]);
    return { ok: true, events: [] };
  }

  function later(work: () => Promise<void>): void {
    setTimeout(() => void work(), standIn.lagMs);
  }

  return standIn;
}
