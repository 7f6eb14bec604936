import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 30_000 });

const BIN = fileURLToPath(new URL('./longhand.mjs', import.meta.url));
let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'longhand-bin-'));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** @param pretend - JavaScript that runs first, e.g. to be another platform. */
async function longhand(args: string[], pretend = '', bin = BIN): Promise<Outcome> {
  const preload = join(home, 'pretend.mjs');
  await writeFile(preload, pretend);
  return await new Promise((resolve) => {
    execFile(process.execPath, ['--import', preload, bin, ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

const as = (name: string, value: string) =>
  `Object.defineProperty(process, '${name}', { value: ${JSON.stringify(value)} });`;

test.each([
  ['macOS', as('platform', 'darwin'), /Lima.*OrbStack/],
  ['Windows', as('platform', 'win32'), /WSL2.*checkout inside it/],
  ['another system', as('platform', 'freebsd'), /Linux virtual machine/],
  ['another architecture', as('arch', 'ia32'), /x64 and arm64/],
  ['musl', 'process.report.getReport = () => ({ header: {} });', /glibc.*musl[\s\S]*Debian/],
])('on %s it names the way and ends with 2, without a stack trace', async (_name, pretend, way) => {
  const { code, err } = await longhand(['dev'], pretend);
  expect(code).toBe(2);
  expect(err).toMatch(way);
  expect(err).not.toMatch(/\n\s+at /);
});

test('an older Node runs the packaged Node 24 instead, and hands on the exit code', async () => {
  const old = `if (!process.env.LONGHAND_REEXECUTED) { ${as('version', 'v20.1.0')} Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } }); }`;
  expect(await longhand(['no-such-command'], old)).toMatchObject({ code: 2 });
  expect((await longhand(['help'], old)).out).toContain('Usage: longhand');
});

test('without the packages it says which command brings them', async () => {
  // A copy of the entry alone, in a folder without node_modules.
  const bare = join(home, 'bare.mjs');
  await symlink(BIN, bare);
  const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } }); process.env.LONGHAND_REEXECUTED = '1';`;
  const { code, err } = await longhand(['dev'], old, bare);
  expect(code).toBe(2);
  expect(err).toMatch(/needs Node 24.*\n.*npm ci/);
});

test('an unknown command and a wrong setting end with 2 and one line', async () => {
  const unknown = await longhand(['fly']);
  expect(unknown).toMatchObject({ code: 2 });
  expect(unknown.err).toContain('there is no command "fly"');
  const wrong = await longhand(['dev'], `process.env.LONGHAND_PORT = 'x';`);
  expect(wrong).toMatchObject({ code: 2 });
  expect(wrong.err).toBe('LONGHAND_PORT is "x". Give a port from 0 to 65535; 0 takes any free one.\n');
});
