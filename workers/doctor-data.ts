/** The folders: the data folder and the blob store. */
import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type BlobPlace, blobPlace, s3Client } from '../store/blobs/open.ts';
import { blobUrl } from './data-folder.ts';
import type { Examination, Finding } from './doctor.ts';

/** Below this the first large checkpoint may fill the disk. */
const LEAST_FREE_BYTES = 1024 ** 3;
const BUCKET_MS = 5_000;

export async function checkData({ settings }: Examination): Promise<Finding[]> {
  return [
    await folderFinding('data folder', settings.LONGHAND_HOME, 'LONGHAND_HOME'),
    await blobFinding(blobPlace(blobUrl(settings)), settings.BLOB_URL ? 'BLOB_URL' : 'LONGHAND_HOME'),
  ];
}

async function blobFinding(place: BlobPlace, variable: string): Promise<Finding> {
  if (place.kind === 'folder') return await folderFinding('blob store', place.path, variable);
  const check = 'blob store';
  const where = `bucket ${place.name}${place.endpoint ? ` at ${place.endpoint}` : ''}`;
  const { ListObjectsV2Command } = await import('@aws-sdk/client-s3');
  const client = await s3Client(place);
  try {
    const asked = new ListObjectsV2Command({ Bucket: place.name, Prefix: place.prefix, MaxKeys: 1 });
    await client.send(asked, { abortSignal: AbortSignal.timeout(BUCKET_MS) });
    return { check, status: 'ok', found: `${where} can be read` };
  } catch (error) {
    const fix = `make the bucket, set ${variable} to it, and give these processes credentials for it (AWS_ACCESS_KEY_ID, a profile, a role)`;
    return { check, status: 'missing', found: `${where} cannot be read: ${(error as Error).message}`, fix };
  } finally {
    client.destroy();
  }
}

async function folderFinding(check: string, folder: string, variable: string): Promise<Finding> {
  const fix = `set ${variable} to a folder of this user on a local disk, with room`;
  const there = await nearest(folder);
  const uid = process.getuid?.();
  if (!there.isFolder) return { check, status: 'missing', found: `${there.path} is not a folder`, fix };
  if (there.path === folder && uid !== 0 && there.uid !== uid) {
    return { check, status: 'missing', found: `${folder} belongs to uid ${there.uid}, and this is uid ${uid}`, fix };
  }
  const writable = await access(there.path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!writable) return { check, status: 'missing', found: `${there.path} cannot be written to by uid ${uid}`, fix };
  const { bavail, bsize } = await statfs(there.path);
  const free = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free`;
  const found = there.path === folder ? `${folder}, ${free}` : `${folder}, not made yet, ${free}`;
  if (bavail * bsize < LEAST_FREE_BYTES) return { check, status: 'warning', found, fix };
  return { check, status: 'ok', found };
}

/** The folder itself, or its nearest parent that is there: what would be made is made inside that. */
async function nearest(folder: string): Promise<{ path: string; uid: number; isFolder: boolean }> {
  let path = folder;
  for (;;) {
    const found = await stat(path).catch(() => undefined);
    if (found) return { path, uid: found.uid, isFolder: found.isDirectory() };
    path = dirname(path);
  }
}
