/** Sessions for tests of reading: a row and a log in the real store, written by the test in the place of a workflow. */
import type { BlobPart, LogEntry, PrivatePart } from '../events/entry.ts';
import { eventIdAt, idBody, primaryThreadId } from '../events/ids.ts';
import type { SessionEvent, SessionStatus } from '../events/wire.ts';
import { findAgent } from '../store/agents.ts';
import { insertSession } from '../store/sessions.ts';
import { makeId } from './context.ts';
import { makeParts, type TestApi } from './testing.ts';

type Written = { type: SessionEvent['type'] } & Record<string, unknown>;

export interface StoredSession {
  id: string;
  thread: string;
  /** Appends an event, stamped unless it brings a `processed_at` of its own. @returns its seq */
  append(event: Written, more?: { blobs?: BlobPart[]; private?: PrivatePart }): Promise<number>;
  /** Marks an inbound event as taken into a turn. */
  process(of: number): Promise<number>;
  /** What the row says from the next entry on. */
  status: SessionStatus;
}

export async function makeStored(api: TestApi): Promise<StoredSession> {
  const { agent: agentId, environment } = await makeParts(api);
  const agent = await findAgent(api.database.orm, 'wrkspc_1', agentId);
  if (!agent) throw new Error('The agent of a test is gone.');
  const id = `sesn_${idBody(makeId(api.deps, 'x'))}`;
  const thread = primaryThreadId(id);
  const now = new Date();
  const row = {
    id,
    workspaceId: 'wrkspc_1',
    thread,
    phase: 'live' as const,
    status: 'idle' as const,
    rowSeq: -1,
    metadata: {},
    agentId,
    agentVersion: 1,
    agentRev: 0,
    environmentId: environment,
    usage: {},
    stats: {},
    createdAt: now,
    updatedAt: now,
  };
  await insertSession(api.database.orm, row, { ...agent, multiagent: null });
  let next = 0;

  async function write(entry: LogEntry): Promise<number> {
    const at = new Date().toISOString();
    const { status } = session;
    const row = {
      seq: entry.seq,
      status,
      usage: { active_seconds: 1 },
      stats: { active_seconds: 1 },
      updated_at: at,
      archived_at: status === 'terminated' ? at : null,
      running_since: status === 'running' ? at : null,
    };
    await api.deps.logStore.append({ session: id, workspace: 'wrkspc_1', thread, run: 'run', entries: [entry], row });
    return entry.seq;
  }

  const session: StoredSession = {
    id,
    thread,
    status: 'idle',
    append(event, more = {}) {
      const seq = next++;
      const whole = { id: eventIdAt(thread, seq), processed_at: new Date().toISOString(), ...event };
      return write({ thread, seq, event: whole as unknown as SessionEvent, ...more });
    },
    process: (of) => write({ thread, seq: next++, of, processed_at: new Date().toISOString() }),
  };
  return session;
}
