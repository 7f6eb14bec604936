/**
 * What the agent left to be brought out, with hashes. Runs as the agent, in the process of the file tools: whatever lies
 * there (a pipe, a link to somewhere, a file that grows) is met with the agent's own rights.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutputListing } from '../hands.ts';
import { OUTPUTS } from './protocol.ts';

/** Folders and files that are looked at, whatever the limit on files is. */
const MOST_ENTRIES = 50_000;
const READ_BYTES = 256 * 1024;

interface Limits {
  /** A larger file is listed without a hash. */
  fileBytes: number;
  files: number;
}

/** @returns lists the outputs; a file that has not changed since the last time is not read again. */
export function createOutputs(folder = OUTPUTS): (limits: Limits) => Promise<OutputListing> {
  let known = new Map<string, { state: string; sha256: string }>();

  return async ({ fileBytes, files: most }) => {
    const { paths, problems } = await walk(folder);
    const listing: OutputListing = { files: [], problems };
    const next: typeof known = new Map();
    for (const path of paths.sort()) {
      if (listing.files.length >= most) {
        problems.push(`There are more than ${most} files; those from ${path} on were left out.`);
        break;
      }
      try {
        const found = await lstat(join(folder, path), { bigint: true });
        if (!found.isFile()) continue;
        const bytes = Number(found.size);
        if (bytes > fileBytes) {
          listing.files.push({ path, bytes });
          continue;
        }
        const state = stateOf(found);
        const before = known.get(path);
        const hashed = before?.state === state ? { sha256: before.sha256, bytes } : await hashOf(join(folder, path));
        next.set(path, { state, sha256: hashed.sha256 });
        listing.files.push({ path, ...hashed });
      } catch (error) {
        // Removed meanwhile: it is not there any more.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          problems.push(`${path} could not be read: ${(error as Error).message}`);
      }
    }
    known = next;
    return listing;
  };
}

/** A change of content changes one of these; the agent cannot set the last one back. */
function stateOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join(' ');
}

async function hashOf(path: string): Promise<{ sha256: string; bytes: number }> {
  // Neither a link nor a pipe that has taken the file's place may be followed, or waited for.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, null);
      if (bytesRead === 0) return { sha256: hash.digest('hex'), bytes };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

/** Paths of all files below, links not followed. */
async function walk(folder: string): Promise<{ paths: string[]; problems: string[] }> {
  const paths: string[] = [];
  const problems: string[] = [];
  const folders = [''];
  let left = MOST_ENTRIES;
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    const entries = await readdir(join(folder, at), { withFileTypes: true }).catch((error: Error) => {
      if (at !== '') problems.push(`${at} could not be read: ${error.message}`);
      return [];
    });
    for (const entry of entries) {
      if (--left < 0) {
        problems.push(`There are more than ${MOST_ENTRIES} files and folders; the rest was left out.`);
        return { paths, problems };
      }
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) paths.push(path);
    }
  }
  return { paths, problems };
}
