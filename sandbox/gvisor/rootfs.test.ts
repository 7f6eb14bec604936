import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shell, signal } from '../contract.ts';
import { NoIsolationError } from './probe.ts';
import { openTestHands } from './testing.ts';

const PROGRAMS = ['bash', 'sh', 'mkfifo', 'head', 'cat', 'ls', 'tar', 'find', 'wc', 'sleep', 'env'];
let rootfs: string;

/** A small root file system as an operator may have one: a few programs and their libraries. */
beforeAll(() => {
  rootfs = mkdtempSync(join(tmpdir(), 'lh-rootfs-'));
  for (const folder of ['usr/bin', 'etc', 'workspace/theirs']) mkdirSync(join(rootfs, folder), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(rootfs, name));
  writeFileSync(join(rootfs, 'etc/passwd'), 'operator:x:1000:1000::/home/agent:/bin/bash\n');
  const programs = PROGRAMS.map((name) => `/usr/bin/${name}`);
  const libraries = execFileSync('ldd', [...programs, process.execPath], { encoding: 'utf8' }).matchAll(
    /(\/\S+\.so\S*)/g,
  );
  for (const path of new Set([...programs, ...[...libraries].map(([, path]) => path ?? '')])) {
    const inside = path.startsWith('/usr/') ? path : `/usr${path}`;
    mkdirSync(join(rootfs, dirname(inside)), { recursive: true });
    if (existsSync(path)) cpSync(realpathSync(path), join(rootfs, inside));
  }
  execFileSync('chmod', ['-R', 'a+rX', rootfs]);
});
afterAll(() => rmSync(rootfs, { recursive: true, force: true }));

test('an operator’s root file system takes the place of the host’s /usr', async () => {
  const subject = await openTestHands({ rootfs });
  try {
    const ref = await subject.hands.provision({ sessionId: 'rootfs', generation: 1 }, signal);
    const said = await shell(subject.hands, ref, 'ls /usr /workspace; cat /etc/passwd; echo x > f; cat f; node -p 1+1');
    expect(said).toMatch(/^\/usr:\nbin\nlib\nlib64\n/);
    expect(said).toContain('operator:x:1000');
    expect(said).toMatch(/x\n2$/);
    expect(said).not.toContain('theirs');
  } finally {
    await subject.dispose();
  }
}, 30_000);

test('a runsc that cannot run is a clear error before anything is started', async () => {
  const subject = await openTestHands({ runsc: '/usr/bin/false' });
  await expect(subject.hands.probe()).rejects.toThrow(NoIsolationError);
  await expect(subject.hands.probe()).rejects.toThrow('nothing is started');
  await subject.dispose();
});
