/** What a skill must be: one folder with a SKILL.md whose front matter says what it is for (the Agent Skills format). */
import { posix } from 'node:path';
import { z } from '@hono/zod-openapi';
import { parse, YAMLParseError } from 'yaml';
import { invalid } from './errors.ts';
import { check } from './validation.ts';

export const SKILL_FILE = 'SKILL.md';
/** Largest SKILL.md, bytes. */
export const MAX_SKILL_FILE = 256 * 1024;
export const MAX_FILES = 1_000;
/** All files of a version together, bytes: 30 MB, as the hosted API. */
export const MAX_SKILL_BYTES = 30_000_000;
const MAX_PATH_BYTES = 512;
const MAX_NAME_BYTES = 200;

const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const slug = z
  .string()
  .max(64)
  .regex(SLUG, 'Input must be lower-case letters, digits and single hyphens')
  .refine((name) => !/anthropic|claude/.test(name), 'The words "anthropic" and "claude" are reserved');
const noTags = (text: string) => !/<[a-z/!][^>]*>/i.test(text);
const frontMatter = z.looseObject({
  name: slug.optional(),
  description: z
    .string()
    .refine((text) => text.trim() !== '', 'Input must not be blank')
    .max(1_024)
    .refine(noTags, 'Input must not hold XML tags'),
});

/** @param folder - the skill's folder, whose name counts when the front matter has none. @throws ApiError 400 */
export function readSkillFile(bytes: Buffer, folder: string): { name: string; description: string } {
  const at = `files.${SKILL_FILE}`;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid(at, 'The file is not valid UTF-8');
  }
  const match = text.match(/^---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(\r?\n|$)/);
  if (!match) throw invalid(at, 'The file must begin with front matter: a line "---", YAML, and a line "---"');
  let value: unknown;
  try {
    // Aliases multiply: a few lines may stand for gigabytes.
    value = parse(match[1] ?? '', { maxAliasCount: 10, logLevel: 'error' });
  } catch (error) {
    const why = error instanceof YAMLParseError ? error.message.split('\n')[0] : 'it cannot be read';
    throw invalid(at, `The front matter is not valid YAML: ${why}`);
  }
  const { name, description } = check(frontMatter, value ?? {}, ['files', SKILL_FILE]);
  return { name: name ?? check(slug, folder, ['files', SKILL_FILE, 'name']), description: description.trim() };
}

/**
 * Checks the paths of a skill's files, each with the one top folder in front.
 * @returns the top folder. @throws ApiError 400
 */
export function checkPaths(paths: string[]): string {
  if (paths.length === 0) throw invalid('files', 'Field required');
  if (paths.length > MAX_FILES)
    throw invalid('files', `A skill has at most ${MAX_FILES} files; these are ${paths.length}`);
  for (const path of paths) checkPath(path);
  const [top = ''] = (paths[0] ?? '').split('/');
  for (const path of paths) {
    if (!path.startsWith(`${top}/`)) {
      throw invalid('files', `${shown(path)}: all files must lie in one top folder, such as greeting/SKILL.md`);
    }
  }
  if (!paths.includes(`${top}/${SKILL_FILE}`)) throw invalid('files', `There is no ${shown(`${top}/${SKILL_FILE}`)}`);
  const seen = new Set(paths);
  if (seen.size < paths.length) {
    throw invalid('files', `${shown(paths.find((path, at) => paths.indexOf(path) !== at) ?? '')} is there twice`);
  }
  for (const path of paths) {
    for (let folder = posix.dirname(path); folder !== '.'; folder = posix.dirname(folder)) {
      if (seen.has(folder)) throw invalid('files', `${shown(folder)} is a file and a folder`);
    }
  }
  return top;
}

function checkPath(path: string): void {
  const fail = (why: string) => invalid('files', `${shown(path)} ${why}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path) || !path.isWellFormed()) throw fail('holds control characters');
  if (path.includes('\\')) throw fail('holds a backslash; folders are separated by "/"');
  if (path.startsWith('/') || /^[a-z]:/i.test(path)) throw fail('is an absolute path');
  const names = path.split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..'))
    throw fail('must not hold empty, "." or ".." components');
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES) || Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw fail(`is too long: ${MAX_NAME_BYTES} bytes a name, ${MAX_PATH_BYTES} in all`);
}

const shown = (path: string) => JSON.stringify(path.slice(0, 200));
