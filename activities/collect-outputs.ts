/** Brings what an agent left under /mnt/session/outputs into the session's part of the blob store. */
import type { Hands, OutputListing, SandboxRef } from '../sandbox/hands.ts';
import { type BlobName, type Blobs, BlobTooLargeError } from '../store/blobs/blobs.ts';
import type { HandsActivities, OutputLimits, OutputList } from '../workflows/contract.ts';

const FOLDER = '/mnt/session/outputs';
/** What is said to people at most. */
const PROBLEMS = 20;
const PROBLEM_CHARS = 500;
const PATH_CHARS = 4_096;

type Output = OutputListing['files'][number];

/**
 * Only bytes that are not stored yet leave the sandbox. A later attempt finds what an earlier one has stored.
 * @returns as `HandsActivities.collectOutputs`.
 */
export async function collectOutputs(
  hands: Pick<Hands, 'listOutputs' | 'readFile'>,
  blobs: Blobs,
  { ref, limits, since }: { ref: SandboxRef; limits: OutputLimits; since?: string },
): ReturnType<HandsActivities['collectOutputs']> {
  const { sessionId } = ref;
  const found = await hands.listOutputs(ref, limits);
  const list: OutputList = { files: [], problems: found.problems.map(String) };
  let left = limits.turnBytes;
  for (const output of found.files.filter(isOutput).slice(0, limits.files)) {
    const stored = await store(output);
    if (typeof stored === 'string') list.problems.push(stored);
    else if (stored) list.files.push({ path: output.path, ...stored });
  }
  list.problems = list.problems.slice(0, PROBLEMS).map((problem) => problem.slice(0, PROBLEM_CHARS));
  const before = since === undefined ? { files: [], problems: [] } : await read(since);
  const body = Buffer.from(JSON.stringify(list));
  if (body.equals(Buffer.from(JSON.stringify(before)))) return { problems: [] };
  const { sha256 } = await blobs.put(sessionId, body);
  return { list: sha256, problems: list.problems.filter((problem) => !before.problems.includes(problem)) };

  /** @returns what is stored now; undefined when the file is gone; a problem in words. */
  async function store({ path, bytes, sha256 }: Output): Promise<BlobName | string | undefined> {
    const present = sha256 === undefined ? undefined : await blobs.size(area(), sha256);
    if (sha256 !== undefined && present !== undefined) return { sha256, bytes: present };
    if (sha256 === undefined) return `${path} has ${bytes} bytes; the limit for one file is ${limits.fileBytes}.`;
    if (bytes > left)
      return `${path} has ${bytes} bytes; the new files of one turn may have ${limits.turnBytes} together.`;
    try {
      const body = await hands.readFile(ref, `${FOLDER}/${path}`);
      const name = await blobs.putStream(area(), body, Math.min(limits.fileBytes, left));
      left -= name.bytes;
      return name;
    } catch (error) {
      if (error instanceof BlobTooLargeError) return `${path} grew past the limit while it was read.`;
      // A file that is gone by now is none; a sandbox that is gone says so at the next look.
      if (error instanceof Error && /no such file/.test(error.message)) return undefined;
      throw error;
    }
  }

  function area(): string {
    return `${sessionId}/outputs`;
  }

  async function read(sha256: string): Promise<OutputList> {
    return JSON.parse((await blobs.get(sessionId, sha256)).toString()) as OutputList;
  }
}

/** The listing is made where the agent could forge it: only a path below the folder may become the name of a file. */
function isOutput({ path, bytes, sha256 }: Output): boolean {
  return (
    typeof path === 'string' &&
    path.length <= PATH_CHARS &&
    path.split('/').every((name) => name !== '' && name !== '.' && name !== '..') &&
    Number.isSafeInteger(bytes) &&
    bytes >= 0 &&
    (sha256 === undefined || /^[0-9a-f]{64}$/.test(sha256))
  );
}
