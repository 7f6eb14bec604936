/**
 * Bytes of uploads between being stored and being referred to. Who refuses an upload removes its bytes at once, so that
 * refused ones cannot fill the disk past the quota; who accepts the same bytes meanwhile looks again before it commits.
 */
import type { BlobName } from '../store/blobs/blobs.ts';
import { lockStorage, referredBlobs } from '../store/files.ts';
import type { ApiDeps } from './context.ts';
import { ApiError, loggable } from './errors.ts';

/** Removes what nobody refers to. Never fails: what it leaves, the sweep finds. */
export async function discardStored(deps: ApiDeps, workspaceId: string, stored: BlobName[]): Promise<void> {
  if (stored.length === 0) return;
  const names = [...new Set(stored.map(({ sha256 }) => sha256))];
  try {
    await deps.database.orm.transaction(async (tx) => {
      await lockStorage(tx, workspaceId);
      const kept = await referredBlobs(tx, workspaceId, names, new Date(deps.now()));
      for (const name of names) if (!kept.has(name)) await deps.blobs.remove(workspaceId, name);
    });
  } catch (error) {
    deps.log.warn({ err: loggable(error) }, 'the bytes of a refused upload are removed later');
  }
}

/** Under `lockStorage`, just before the reference is stored. @throws ApiError 503: sending it again is safe */
export async function checkStored(
  { blobs }: Pick<ApiDeps, 'blobs'>,
  workspaceId: string,
  stored: { sha256: string }[],
): Promise<void> {
  for (const { sha256 } of stored) {
    if ((await blobs.size(workspaceId, sha256)) !== undefined) continue;
    throw new ApiError(
      503,
      'api_error',
      'The same bytes were refused for another upload meanwhile; send this one again.',
    );
  }
}
