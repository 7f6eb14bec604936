/** Starting a worker (brain or hands) as a child process, ready when it says so. */
import { fileURLToPath } from 'node:url';
import { type Running, startProcess } from './child-process.ts';

/** The entry of every command; it runs this same Node. */
const LONGHAND = fileURLToPath(import.meta.resolve('#longhand'));
/** The first start bundles the workflows (2 s, or much longer on a busy machine) and probes the sandbox. */
const READY_MS = 180_000;
/** Workers hand over or finish what they do within 30 s of SIGTERM. */
const STOP_MS = 35_000;

export interface WorkerProcessOptions {
  /** The command, and the line with which it says that it is ready. */
  name: 'brain' | 'hands';
  args?: string[];
  env: Record<string, string>;
  onLine(line: string): void;
  /** Gets the process id at once. */
  onSpawn(pid: number): void;
}

/** @throws Error with the worker's last words when it ends before it is ready. */
export async function startWorker({ name, args = [], env, onLine, onSpawn }: WorkerProcessOptions): Promise<Running> {
  const lastLines: string[] = [];
  let ready = () => {};
  const isReady = new Promise<true>((resolve) => {
    ready = () => resolve(true);
  });
  const worker = await startProcess({
    command: process.execPath,
    args: [LONGHAND, name, ...args],
    env,
    ipc: true,
    onSpawn,
    stopMs: STOP_MS,
    onLine: (line) => {
      if (line === `${name} ready`) return ready();
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
      onLine(line);
    },
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`was not ready within ${READY_MS / 1_000} s`), READY_MS);
  });
  const outcome = await Promise.race([isReady, worker.exited, late]).finally(() => clearTimeout(timer));
  if (outcome === true) return worker;
  await worker.stop();
  throw new Error(`The ${name} worker ${outcome}:\n${lastLines.join('\n')}`);
}
