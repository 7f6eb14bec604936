import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signal } from '../contract.ts';
import { findCgroupParent } from './cgroup.ts';
import { openTestHands, runscPath } from './testing.ts';
import { type LimitsReport, SMALL, tryLimits } from './testing-limits.ts';

const isRoot = process.getuid?.() === 0;
const hasCgroups = (await findCgroupParent()) !== undefined;
/** An id that nothing else runs under. */
const USER = 1_812_345_678;

function expectLimits(report: () => LimitsReport): void {
  test('memory: the largest process is killed, and the agent is told why', () => {
    expect(report().memory).toContain('memory limit of 384 MiB was reached');
    expect(report()['after memory']).toBe('next');
  });
  test('memory cannot be had through /dev/shm or /run', () => {
    expect(report()['shared memory']).toMatch(/No space left[\s\S]*denied/);
  });
  test('disk: no space left, in every folder; removing files makes room again', () => {
    expect(report().disk).toMatch(/No space left[\s\S]*No space left/);
    expect(report()['after disk']).toBe('next');
  });
  test('files: 200,000 of them end in an error that says so', () => {
    expect(report().files).toContain('limit of 10000 files was reached');
    expect(report()['after files']).toBe('next');
  });
  test('output: the first bytes are kept, the rest is counted', () => {
    expect(report().output).toContain('[800000 more bytes of output were not kept.]');
  });
  test('a fork bomb ends, and the next command runs', () => {
    expect(report()['fork bomb']).toContain('limit of 100 processes was reached');
    expect(report()['after fork bomb']).toBe('next');
  });
  test('`rm -rf` of everything and `kill -9 -1` harm nobody else', () => {
    expect(report()['after everything']).toBe('next');
  });
  test('CPU: three busy loops get one', () => {
    const used = Number(report()['cpus used']);
    expect(used).toBeGreaterThan(0.2);
    expect(used).toBeLessThan(1.25);
  });
  test('memory that nobody inside watches: the sandbox ends as lost, and the next one works', () => {
    expect(JSON.parse(report()['outer memory'] ?? '')).toMatchObject({ kind: 'lost', started: 'maybe' });
    // The kernel may be first; neither waits for a sandbox that does not answer.
    expect(report()['outer memory log']).toMatch(
      /it used \d+ MiB of memory, more than the 640 MiB|(its processes have|The sandbox has) ended/,
    );
    expect(report()['after outer memory']).toContain('next');
  });
}

describe.skipIf(!hasCgroups)('limits by control groups', () => {
  let report: LimitsReport = {};
  beforeAll(async () => {
    const subject = await openTestHands({ limits: SMALL });
    try {
      report = await tryLimits(subject);
    } finally {
      await subject.dispose();
    }
  }, 300_000);
  expectLimits(() => report);
});

describe('without control groups', () => {
  test('a fraction of a CPU is refused, not ignored', async () => {
    const subject = await openTestHands({ limits: { ...SMALL, cpus: 0.5 }, cgroups: false });
    await expect(subject.hands.provision({ sessionId: 'half', generation: 1 }, signal)).rejects.toThrow(
      'needs control groups',
    );
    await subject.dispose();
  });
});

describe.skipIf(!isRoot)('limits for an ordinary user, by watchdog', () => {
  let report: LimitsReport = {};
  const folder = mkdtempSync(join(tmpdir(), 'lh-user-'));
  beforeAll(async () => {
    // Where every user can reach it.
    const runsc = join(folder, 'runsc');
    copyFileSync(runscPath(), runsc);
    chmodSync(folder, 0o755);
    chmodSync(runsc, 0o755);
    const script = fileURLToPath(new URL('./testing-as-user.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script], {
      uid: USER,
      gid: USER,
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', LONGHAND_RUNSC: runsc },
    });
    report = JSON.parse(stdout) as LimitsReport;
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  test('it really is another user', () => expect(report.uid).toBe(USER));
  test('files move through a checkpoint', () => expect(report.moved).toMatch(/\nmoved$/));
  expectLimits(() => report);
});
