/** A worker as a process of its own, to be killed and started again by tests. */
import { fileURLToPath } from 'node:url';
import { type RunningProcess, startProcess } from '../../workers/child-process.ts';

const LONGHAND = fileURLToPath(new URL('../../bin/longhand.mjs', import.meta.url));

export interface WorkerProcess {
  readonly pid: number;
  /** SIGKILL, as a crash would. Resolves when it is dead; returns its pid. */
  kill(): Promise<number>;
  /** Starts it again after a kill. */
  start(): Promise<void>;
  /** SIGTERM. */
  stop(): Promise<void>;
}

/** @param name - a part that runs alone: `longhand <name>`. */
export async function startWorkerProcess(
  name: 'api' | 'brain' | 'hands',
  env: Record<string, string>,
): Promise<WorkerProcess> {
  let running: RunningProcess | undefined;

  async function start(): Promise<void> {
    const lines: string[] = [];
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
        lines.push(line);
        if (process.env.LONGHAND_TEST_LOGS) console.log(`${name} | ${line}`);
        if (/^\w+ ready$/.test(line)) ready();
      },
    });
    const ended = running.exited.then((how) => {
      throw new Error(`${name} ${how}:\n${lines.join('\n')}`);
    });
    await Promise.race([isReady, ended]);
    ended.catch(() => undefined);
  }

  await start();
  return {
    get pid() {
      return running?.pid ?? 0;
    },
    async kill() {
      const pid = running?.pid ?? 0;
      running?.child.kill('SIGKILL');
      await running?.exited;
      return pid;
    },
    start,
    stop: async () => running?.stop(),
  };
}
