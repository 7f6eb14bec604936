import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Running, startProcess } from './child-process.ts';
import { endOrphans, recordChild } from './orphans.ts';
import { type Service, type ServiceEvent, type Supervisor, supervise } from './supervisor.ts';

let runFolder: string;
let supervisor: Supervisor | undefined;
const events: ServiceEvent[] = [];
const order: string[] = [];

beforeEach(async () => {
  runFolder = await mkdtemp(join(tmpdir(), 'longhand-run-'));
  events.length = 0;
  order.length = 0;
});
afterEach(async () => {
  await supervisor?.stop();
  supervisor = undefined;
  await rm(runFolder, { recursive: true, force: true });
});

async function sleeper(onSpawn?: (pid: number) => void): Promise<Running> {
  return await startProcess({
    onSpawn,
    command: '/bin/sleep',
    args: ['600'],
    env: {},
    onLine: () => undefined,
    stopMs: 1_000,
  });
}

function service(name: string): Service {
  return {
    name,
    start: async (onSpawn) => {
      const running = await sleeper(onSpawn);
      order.push(`start ${name}`);
      const stop = async () => {
        order.push(`stop ${name}`);
        await running.stop();
      };
      return { ...running, stop };
    },
  };
}

const options = () => ({ runFolder, onEvent: (event: ServiceEvent) => events.push(event) });

function alive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('what dies is started again; the others are left alone', async () => {
  supervisor = await supervise([[service('a')], [service('b')]], options());
  const before = supervisor.pids();
  process.kill(before.a ?? 0, 'SIGKILL');
  await vi.waitFor(() => expect(supervisor?.pids().a).toSatisfy((pid) => pid !== undefined && pid !== before.a), 5_000);
  expect(supervisor.pids().b).toBe(before.b);
  expect(events.find(({ kind }) => kind === 'ended')).toMatchObject({ name: 'a', how: 'was ended by SIGKILL' });
});

test('it stops in the opposite order and leaves no process and no process file', async () => {
  supervisor = await supervise([[service('a')], [service('b')]], options());
  const pids = Object.values(supervisor.pids());
  expect(await readdir(runFolder)).toEqual(['a.pid', 'b.pid']);
  await supervisor.stop();
  expect(order).toEqual(['start a', 'start b', 'stop b', 'stop a']);
  expect(pids.filter(alive)).toEqual([]);
  expect(await readdir(runFolder)).toEqual([]);
});

test('when one cannot be started at first, those before it are stopped and its error comes out', async () => {
  const broken: Service = { name: 'broken', start: () => Promise.reject(new Error('no luck')) };
  await expect(supervise([[service('a')], [broken]], options())).rejects.toThrow('no luck');
  expect(order).toEqual(['start a', 'stop a']);
});

test('a service that cannot be restarted is tried again, with growing pauses', async () => {
  let starts = 0;
  const flaky: Service = {
    name: 'flaky',
    start: async () => {
      starts += 1;
      if (starts === 2 || starts === 3) throw new Error('not yet');
      return await sleeper();
    },
  };
  supervisor = await supervise([[flaky]], options());
  process.kill(supervisor.pids().flaky ?? 0, 'SIGKILL');
  await vi.waitFor(() => expect(starts).toBe(4), 10_000);
  const pauses = events.flatMap((event) => (event.kind === 'started' ? [] : [event.retryMs]));
  expect(pauses).toEqual([200, 400, 800]);
});

test('an orphan is ended, and a process that only has its number is not', async () => {
  const orphan = await sleeper();
  const stranger = await sleeper();
  try {
    recordChild(runFolder, 'orphan', orphan.pid);
    const old = { pid: stranger.pid, started: 'an-earlier-boot:12345' };
    await writeFile(join(runFolder, 'stranger.pid'), JSON.stringify(old));
    await writeFile(join(runFolder, 'garbage.pid'), 'not a process file');
    expect(await endOrphans(runFolder)).toEqual(['orphan']);
    await orphan.exited;
    expect(alive(stranger.pid)).toBe(true);
    expect(await readdir(runFolder)).toEqual([]);
  } finally {
    await orphan.stop();
    await stranger.stop();
  }
});
