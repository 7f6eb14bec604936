/**
 * A finished run's entries as one sealed segment: JSON lines in the blob store, named by their hash. With the segments
 * of closed runs and the history of the open one, the whole log can be rebuilt after the server has deleted old runs.
 */
import type { Pool } from 'pg';
import type { Carry } from '../workflows/contract.ts';
import type { Blobs } from './blobs/blobs.ts';
import type { LogStore } from './log.ts';

export interface Segments {
  /** Stores entries `from`..`to`. Safe to repeat. */
  seal(run: Pick<Carry, 'session' | 'thread' | 'run'>, from: number, to: number): Promise<void>;
  /** The last entry that is sealed; -1 when none is. */
  end(session: string, thread: string): Promise<number>;
}

export function createSegments(pool: Pool, log: LogStore, blobs: Blobs): Segments {
  return {
    async end(session, thread) {
      const found = await pool.query<{ end: string }>(
        'select coalesce(max(to_seq), -1) as "end" from segments where session_id = $1 and thread = $2',
        [session, thread],
      );
      return Number(found.rows[0]?.end ?? -1);
    },

    async seal({ session, thread, run }, from, to) {
      const lines: string[] = [];
      for (let next = from; next <= to; ) {
        const page = await log.read(session, thread, next, to);
        if (page.length === 0)
          throw new Error(`Entry ${next} of ${session} is not stored yet; its run cannot be sealed.`);
        for (const entry of page) lines.push(JSON.stringify(entry));
        next += page.length;
      }
      const name = await blobs.put(session, Buffer.from(`${lines.join('\n')}\n`));
      await pool.query(
        `insert into segments (session_id, thread, from_seq, to_seq, run_id, sha256, bytes)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (session_id, thread, from_seq) do update set to_seq = excluded.to_seq, run_id = excluded.run_id,
           sha256 = excluded.sha256, bytes = excluded.bytes where segments.to_seq < excluded.to_seq`,
        [session, thread, from, to, run, name.sha256, name.bytes],
      );
    },
  };
}
