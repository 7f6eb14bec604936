import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { apiKeyOf, openDataFolder, StartError } from './data-folder.ts';

let home: string;
const holders: ChildProcess[] = [];
beforeEach(async () => {
  home = join(await mkdtemp(join(tmpdir(), 'longhand-home-')), 'data');
});
afterEach(async () => {
  for (const child of holders.splice(0)) child.kill('SIGKILL');
  await rm(join(home, '..'), { recursive: true, force: true });
});

/** Another process that holds the lock until it is killed. */
async function holder() {
  const module = new URL('./data-folder.ts', import.meta.url).href;
  const code = `const { openDataFolder } = await import(${JSON.stringify(module)});
    globalThis.kept = await openDataFolder(${JSON.stringify(home)}); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  holders.push(child);
  await once(child.stdout, 'data');
  return child;
}

test('a locked folder is one clear line with the process that has it; SIGKILL of that process frees it', async () => {
  const other = await holder();
  const refused = openDataFolder(home);
  await expect(refused).rejects.toThrow(StartError);
  await expect(refused).rejects.toThrow(`is in use by another Longhand (process ${other.pid}). Stop that one first`);
  other.kill('SIGKILL');
  await once(other, 'exit');
  const { lock } = await openDataFolder(home);
  lock.release();
}, 30_000);

test('the folder is private, also when it was not, and git leaves it out', async () => {
  (await openDataFolder(home)).lock.release();
  await chmod(home, 0o755);
  const { lock } = await openDataFolder(home);
  expect((await stat(home)).mode & 0o777).toBe(0o700);
  expect(await readFile(join(home, '.gitignore'), 'utf8')).toBe('*\n');
  lock.release();
});

test('the API key is made once, kept with mode 0600, and the given one goes before it', async () => {
  const { layout, lock } = await openDataFolder(home);
  const first = await apiKeyOf(layout);
  expect(first).toMatchObject({ made: true, key: expect.stringMatching(/^lh-[\w-]{43}$/) });
  expect((await stat(layout.apiKey)).mode & 0o777).toBe(0o600);
  expect(await apiKeyOf(layout)).toEqual({ key: first.key, made: false });
  expect(await apiKeyOf(layout, 'lh-given')).toEqual({ key: 'lh-given', made: false });
  lock.release();
});
