/** Files that agents made: one row for each content that was seen at a path, so that what stays is not listed twice. */
import { createHash } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import { idBody } from '../events/ids.ts';
import type { Queries } from './database.ts';
import { files, sessions } from './schema.ts';

export interface Output {
  /** Relative to the folder of outputs. */
  filename: string;
  mimeType: string;
  sha256: string;
  bytes: number;
}

/** Safe to repeat. Adds nothing to a session that is gone. */
export async function insertOutputs(db: Queries, sessionId: string, outputs: Output[], now: Date): Promise<void> {
  await db.transaction(async (tx) => {
    // Shared, so that the session is not removed while it gets files.
    const [session] = await tx
      .select({ workspaceId: sessions.workspaceId, phase: sessions.phase })
      .from(sessions)
      .where(eq(sessions.id, sessionId))
      .for('share');
    if (!session || session.phase === 'deleting') return;
    const present = await tx
      .select({ id: files.id })
      .from(files)
      .where(and(eq(files.sessionId, sessionId), eq(files.origin, 'output')));
    const known = new Set(present.map(({ id }) => id));
    const fresh = outputs
      .map((output) => ({ ...output, id: outputId(sessionId, output) }))
      .filter(({ id }) => !known.has(id));
    if (fresh.length === 0) return;
    const rest = { workspaceId: session.workspaceId, sessionId, origin: 'output' as const, createdAt: now };
    const rows = fresh.map((output) => ({ ...output, ...rest, area: `${sessionId}/outputs`, downloadable: true }));
    await tx.insert(files).values(rows).onConflictDoNothing();
  });
}

/** The same content at the same path has the same id, whoever asks. */
function outputId(sessionId: string, { filename, sha256 }: Output): string {
  const hash = createHash('sha256').update(`${filename}\0${sha256}`).digest('hex');
  return `file_${idBody(sessionId)}o${hash.slice(0, 16)}`;
}
