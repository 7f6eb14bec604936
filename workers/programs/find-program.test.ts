import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cachedPath, installOnce } from './cache.ts';
import { findProgram, findRunsc, ProgramNotFoundError } from './find-program.ts';
import type { Program } from './program.ts';

let home: string;
const lines: string[] = [];
const onProgress = (line: string) => {
  lines.push(line);
};

/** Its download host exists nowhere (RFC 2606). */
const PROGRAM: Program = {
  name: 'runsc',
  version: '0-test',
  purpose: 'a test',
  goModule: 'runsc',
  goPackage: 'example.invalid/none',
  goFlags: [],
  goBuildTime: 'no time',
  downloadUrl: 'https://download.invalid/runsc',
  otherWay: 'do something else',
};

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhand-programs-'));
  lines.length = 0;
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

async function script(path: string, text: string): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o755);
  return path;
}

test('PATH comes before the cache, and the cache before everything that takes time', async () => {
  const options = { env: { PATH: join(home, 'bin') }, cache: join(home, 'cache'), onProgress };
  const cached = await script(cachedPath(PROGRAM, options.cache), '#!/bin/sh\n');
  expect(await findProgram(PROGRAM, options)).toBe(cached);
  const there = await script(join(home, 'bin/runsc'), '#!/bin/sh\n');
  expect(await findProgram(PROGRAM, options)).toBe(there);
  expect(lines).toEqual([]);
});

test('LONGHAND_RUNSC is used as given, and never replaced when it is wrong', async () => {
  const given = await script(join(home, 'mine'), '#!/bin/sh\n');
  expect(await findRunsc({ env: { LONGHAND_RUNSC: given }, onProgress })).toBe(given);
  const wrong = findRunsc({ env: { LONGHAND_RUNSC: join(home, 'none'), PATH: process.env.PATH }, onProgress });
  await expect(wrong).rejects.toThrow(/LONGHAND_RUNSC.*not an executable file/);
});

test('without any way it fails within 8 s, saying what was tried and what to do', async () => {
  const started = Date.now();
  const found = findProgram(PROGRAM, { env: { PATH: '/nonexistent' }, cache: join(home, 'cache'), onProgress });
  await expect(found).rejects.toThrow(ProgramNotFoundError);
  await expect(found).rejects.toThrow(/cannot be reached[\s\S]*no "go" on PATH[\s\S]*do something else/);
  expect(Date.now() - started).toBeLessThan(8_000);
});

test('a failed Go build shows the compiler’s words and leaves nothing in the cache', async () => {
  await script(join(home, 'bin/go'), '#!/bin/sh\necho "no such module" >&2\nexit 1\n');
  const options = { env: { PATH: `${join(home, 'bin')}:/bin` }, cache: join(home, 'cache'), onProgress };
  await expect(findProgram(PROGRAM, options)).rejects.toThrow(/exit 1:\nno such module/);
  await expect(findProgram(PROGRAM, options)).rejects.toThrow(ProgramNotFoundError);
});

test('two at once make the program once', async () => {
  let made = 0;
  const produce = async (path: string) => {
    made += 1;
    await new Promise((resolve) => setTimeout(resolve, 300));
    await writeFile(path, 'program');
  };
  const options = { cache: join(home, 'cache'), onProgress };
  const paths = await Promise.all([installOnce(PROGRAM, produce, options), installOnce(PROGRAM, produce, options)]);
  expect(paths[0]).toBe(paths[1]);
  expect(made).toBe(1);
  expect(lines).toEqual(['Another process is obtaining runsc 0-test: waiting for it.']);
});
