/** A part of Longhand as a process of its own, to be killed and started again by tests. */
import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from '../../workers/child-process.ts';

const LONGHAND = fileURLToPath(new URL('../../bin/longhand.mjs', import.meta.url));

export interface WorkerProcess {
  readonly pid: number;
  /** What it has written since it was started last. */
  readonly lines: readonly string[];
  /** SIGKILL, as a crash would. Resolves when it is dead; returns its pid. */
  kill(): Promise<number>;
  /** Starts it again after a kill. */
  start(): Promise<void>;
  /** SIGTERM. Resolves when it has ended, with the way it ended: `ended with exit code 0`. */
  stop(): Promise<string>;
}

/** @param name - a part that runs alone: `longhand <name>`. */
export async function startWorkerProcess(
  name: 'api' | 'brain' | 'hands',
  env: Record<string, string>,
): Promise<WorkerProcess> {
  let running: RunningProcess | undefined;
  let lines: string[] = [];

  async function start(): Promise<void> {
    const said: string[] = [];
    lines = said;
    let ready = () => {};
    const isReady = new Promise<void>((resolve) => {
      ready = resolve;
    });
    running = await startProcess({
      command: process.execPath,
      args: [LONGHAND, name],
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
      stopMs: 40_000,
      onLine(line) {
        said.push(line);
        if (process.env.LONGHAND_TEST_LOGS) console.log(`${name} | ${line}`);
        if (line === `${name} ready`) ready();
      },
    });
    const ended = running.exited.then((how) => {
      throw new Error(`${name} ${how}:\n${said.join('\n')}`);
    });
    await Promise.race([isReady, ended]);
    ended.catch(() => undefined);
  }

  await start();
  return {
    get pid() {
      return running?.pid ?? 0;
    },
    get lines() {
      return lines;
    },
    async kill() {
      const pid = running?.pid ?? 0;
      running?.child.kill('SIGKILL');
      await running?.exited;
      return pid;
    },
    start,
    async stop() {
      await running?.stop();
      return (await running?.exited) ?? 'never ran';
    },
  };
}
