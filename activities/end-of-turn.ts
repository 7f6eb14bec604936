/** Where a session's turn ended, and with what: told from its log alone, so that every look finds the same. */
import type { Pool } from 'pg';
import type { EventOf } from '../events/wire.ts';
import type { Blobs } from '../store/blobs/blobs.ts';
import { internalize } from '../store/blobs/parts.ts';
import type { Queries } from '../store/database.ts';
import { listEventEntries } from '../store/session-events.ts';
import { findSessionRow, type SessionRow } from '../store/sessions.ts';
import type { AwaitSessionInput, RunSessionResult } from '../workflows/service-contract.ts';

/** Text of a result, characters. */
const MAX_TEXT = 256 * 1024;
const READ_ENDS = 100;

export interface EndOfDeps {
  pool: Pool;
  orm: Queries;
  blobs: Pick<Blobs, 'get'>;
}

/** The first end after entry `after`; undefined while the log has none. */
export async function endOf(
  deps: EndOfDeps,
  { session_id, requires_action = 'wait' }: AwaitSessionInput,
  after: number,
): Promise<RunSessionResult | undefined> {
  const row = await findSessionRow(deps.orm, session_id);
  // Its caller has started it, or names it: what is not there any more was deleted.
  if (!row) return { session_id, status: 'deleted', stop_reason: null, text: null, seq: -1 };
  for (let from = after; ; ) {
    const ends = await listEventEntries(deps.pool, session_id, row.thread, {
      order: 'asc',
      limit: READ_ENDS,
      after: from,
      types: ['session.status_idle', 'session.status_terminated'],
    });
    for (const { seq, event } of ends) {
      const stop_reason = event.type === 'session.status_idle' ? event.stop_reason : null;
      if (stop_reason?.type === 'requires_action' && requires_action === 'wait') continue;
      const status = stop_reason ? 'idle' : 'terminated';
      return { session_id, status, stop_reason, ...(await lastText(deps, row, seq)), seq };
    }
    if (ends.length < READ_ENDS) return undefined;
    from = ends.at(-1)?.seq ?? from;
  }
}

async function lastText(
  { pool, blobs }: EndOfDeps,
  row: SessionRow,
  before: number,
): Promise<Pick<RunSessionResult, 'text' | 'text_cut'>> {
  const [last] = await listEventEntries(pool, row.id, row.thread, {
    order: 'desc',
    limit: 1,
    after: before,
    types: ['agent.message'],
  });
  if (!last) return { text: null };
  const { content } = (await internalize(row.id, last, blobs)).event as EventOf<'agent.message'>;
  const text = content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  return text.length > MAX_TEXT ? { text: text.slice(0, MAX_TEXT), text_cut: true } : { text };
}
