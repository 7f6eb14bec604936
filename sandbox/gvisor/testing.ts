/** What the tests of the `gvisor` provider share. Real runsc, real sandboxes; only the checkpoint store is in memory. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContractSubject } from '../contract.ts';
import type { SandboxRef } from '../hands.ts';
import { memoryCheckpoints } from '../testing-checkpoints.ts';
import { createGvisorHands, type GvisorHands, type GvisorOptions } from './hands.ts';
import { preparePlaces, reachable } from './places.ts';
import type { SandboxRecord } from './records.ts';

export interface GvisorSubject extends ContractSubject {
  hands: GvisorHands;
  options: GvisorOptions;
  /** What the provider logged. */
  said: string[];
  /** What the provider wrote down about a sandbox. */
  record(ref: SandboxRef): Promise<SandboxRecord>;
  /** Runs a command in the sandbox as the tool server's uid, which no command of an agent can. Returns all output. */
  insideAsRoot(ref: SandboxRef, command: string): Promise<string>;
}

/** `LONGHAND_RUNSC`, or where Longhand keeps what it fetched or built. */
export function runscPath(): string {
  const path = process.env.LONGHAND_RUNSC || join(homedir(), '.cache/longhand/bin/runsc');
  if (existsSync(path)) return path;
  throw new Error(`These tests need runsc, and there is none at ${path}. Set LONGHAND_RUNSC.`);
}

/** Hands with a data folder of their own, and everything ended and removed by `dispose`. */
export async function openTestHands(overrides: Partial<GvisorOptions> = {}): Promise<GvisorSubject> {
  const stateDir = await mkdtemp(join(tmpdir(), 'lh-hands-'));
  const said: string[] = [];
  const show =
    overrides.log ?? (process.env.LONGHAND_TEST_LOG ? (line: string) => process.stderr.write(`${line}\n`) : undefined);
  const options: GvisorOptions = {
    runsc: runscPath(),
    nodeBinary: process.execPath,
    stateDir,
    cacheDir: join(stateDir, 'cache'),
    checkpoints: memoryCheckpoints(),
    ...overrides,
    log(message) {
      said.push(message);
      show?.(message);
    },
  };
  const all: GvisorHands[] = [];
  const open = () => {
    const hands = createGvisorHands(options);
    all.push(hands);
    return hands;
  };
  const hands = open();
  const record = async (ref: SandboxRef) =>
    JSON.parse(await readFile(join(stateDir, 'sandboxes', `${ref.id}.json`), 'utf8')) as SandboxRecord;
  return {
    hands,
    options,
    said,
    record,
    reopen: async () => open(),
    async insideAsRoot(ref, command) {
      const { uid } = await record(ref);
      const places = await preparePlaces(options);
      const root = join(places.sandboxes, ref.id, 'runsc');
      const words = [`--root=${root}`, '--rootless', 'exec', ref.id, '/bin/sh', '-c', `(${command}) 2>&1`];
      const as = uid === undefined ? {} : { uid, gid: uid };
      const runsc = await reachable(options.runsc, places);
      return await new Promise((resolve) => {
        execFile(runsc, words, { env: { PATH: '/usr/bin' }, cwd: '/', ...as }, (_error, out, err) =>
          resolve(out + err),
        );
      });
    },
    async crash(ref) {
      const { pid } = await record(ref);
      process.kill(pid, 'SIGKILL');
      await sleep(50);
    },
    async dispose() {
      await hands.releaseAll();
      await Promise.all(all.map((one) => one.close()));
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
