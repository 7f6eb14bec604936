/** From an upload to the files of a skill's version. */
import type { BlobName } from '../store/blobs/blobs.ts';
import type { SkillFile } from '../store/skills.ts';
import type { ApiDeps } from './context.ts';
import { invalid } from './errors.ts';
import type { FormFile, FormSpec } from './multipart.ts';
import { checkPaths, MAX_FILES, MAX_SKILL_BYTES, MAX_SKILL_FILE, readSkillFile, SKILL_FILE } from './skill-manifest.ts';
import { readZip } from './skill-zip.ts';

export const skillForm: FormSpec = {
  files: ['files'],
  maxFiles: MAX_FILES,
  maxBytes: MAX_SKILL_BYTES,
  limit: '30 MB for all files of a skill',
};

export interface SkillContent {
  /** The slug: name of the folder in sandboxes and archives. */
  name: string;
  description: string;
  files: SkillFile[];
}

interface Part extends BlobName {
  path: string;
  executable?: true;
}

/**
 * Files whose names carry their paths (`greeting/SKILL.md`), or one zip archive of them.
 * @param area - where the bytes are stored. @throws ApiError 400
 */
export async function takeSkill(deps: Pick<ApiDeps, 'blobs'>, area: string, sent: FormFile[]): Promise<SkillContent> {
  const [only] = sent;
  const parts =
    sent.length === 1 && only?.filename?.toLowerCase().endsWith('.zip')
      ? await unpacked(deps, area, only)
      : sent.map(({ filename, sha256, bytes }): Part => ({ path: filename ?? '', sha256, bytes }));
  const top = checkPaths(parts.map(({ path }) => path));
  const skillFile = parts.find(({ path }) => path === `${top}/${SKILL_FILE}`);
  if (!skillFile || skillFile.bytes > MAX_SKILL_FILE)
    throw invalid(`files.${SKILL_FILE}`, `The file has more than ${MAX_SKILL_FILE} bytes`);
  const { name, description } = readSkillFile(await deps.blobs.get(area, skillFile.sha256), top);
  const files: SkillFile[] = [];
  for (const { path, ...part } of parts) {
    const executable = part.executable ?? (await beginsWithShebang(deps, area, part));
    files.push({
      path: path.slice(top.length + 1),
      ...{ sha256: part.sha256, bytes: part.bytes },
      ...(executable ? { executable: true as const } : {}),
    });
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { name, description, files };
}

async function unpacked(deps: Pick<ApiDeps, 'blobs'>, area: string, archive: FormFile): Promise<Part[]> {
  const members = await readZip(await deps.blobs.get(area, archive.sha256));
  // Before anything of it is stored.
  const top = checkPaths(members.map(({ path }) => path));
  readSkillFile(members.find(({ path }) => path === `${top}/${SKILL_FILE}`)?.body ?? Buffer.alloc(0), top);
  const parts: Part[] = [];
  for (const { path, body, executable } of members) {
    parts.push({ path, ...(await deps.blobs.put(area, body)), ...(executable ? { executable: true as const } : {}) });
  }
  return parts;
}

/** Uploads say nothing of permissions; a script says it itself. */
async function beginsWithShebang(deps: Pick<ApiDeps, 'blobs'>, area: string, { sha256, bytes }: BlobName) {
  if (bytes < 3) return false;
  const stream = await deps.blobs.getStream(area, sha256, { start: 0, end: 1 });
  return Buffer.concat(await stream.toArray()).toString('latin1') === '#!';
}
