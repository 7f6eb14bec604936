/** Removes the bytes of files that are gone: deleted, expired, or of an upload that never became a file. */
import { referredBlobs, workspacesWithBlobs } from '../store/files.ts';
import type { ApiDeps } from './context.ts';

/** Bytes are stored first, and then the row that refers to them; a slow upload's parts wait for each other. ms. */
const UNREFERRED_MS = 6 * 3_600_000;
const EVERY_MS = 600_000;

/** @returns a sweep that does its work once in ten minutes, however often it is called. */
export function createFileSweep(deps: ApiDeps, everyMs = EVERY_MS): () => Promise<void> {
  let last = Number.NEGATIVE_INFINITY;
  return async () => {
    if (deps.now() - last < everyMs) return;
    last = deps.now();
    const { orm } = deps.database;
    for (const workspace of await workspacesWithBlobs(orm)) {
      await deps.blobs.removeUnreferred(workspace, UNREFERRED_MS, (names) =>
        referredBlobs(orm, workspace, names, new Date(deps.now())),
      );
    }
  };
}
