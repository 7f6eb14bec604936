/** `anthropic` skills: folders that the operator provides (`LONGHAND_SKILLS_DIR`), read when they are asked for. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkPaths, MAX_FILES, readSkillFile, SKILL_FILE } from './skill-manifest.ts';

export interface OperatorSkill {
  /** Name of its folder: `pptx`. */
  id: string;
  name: string;
  description: string;
  /** Follows from its content, so that it changes when that does. */
  version: string;
  changedAt: Date;
  files: { path: string; executable: boolean; body: Buffer }[];
}

const ID = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** @returns undefined when there is none. @throws when what is there is no skill: the operator's mistake. */
export async function operatorSkill(folder: string | undefined, id: string): Promise<OperatorSkill | undefined> {
  if (folder === undefined || !ID.test(id)) return undefined;
  const root = join(folder, id);
  const found = await stat(root).catch(() => undefined);
  if (!found?.isDirectory()) return undefined;
  const paths = await pathsIn(root);
  checkPaths(paths.map((path) => `${id}/${path}`));
  const files: OperatorSkill['files'] = [];
  const hash = createHash('sha256');
  for (const path of paths) {
    const body = await readFile(join(root, path));
    const { mode } = await stat(join(root, path));
    files.push({ path, body, executable: (mode & 0o111) !== 0 });
    hash.update(`${path}\0${body.length}\0`).update(body);
  }
  const main = files.find(({ path }) => path === SKILL_FILE);
  const { description } = readSkillFile(main?.body ?? Buffer.alloc(0), id);
  return {
    id,
    name: id,
    description,
    version: `${id}-${hash.digest('hex').slice(0, 12)}`,
    changedAt: found.mtime,
    files,
  };
}

/** By id. What is no skill is left out here. */
export async function operatorSkills(folder: string | undefined): Promise<OperatorSkill[]> {
  if (folder === undefined) return [];
  const skills: OperatorSkill[] = [];
  for (const id of (await readdir(folder).catch(() => [])).sort()) {
    const skill = await operatorSkill(folder, id).catch(() => undefined);
    if (skill) skills.push(skill);
  }
  return skills;
}

/** Regular files; links are the operator's own business and are not followed. */
async function pathsIn(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  return paths.sort().slice(0, MAX_FILES + 1);
}
