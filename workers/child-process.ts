/** Starting and ending a process of ours: in a group of its own, with exactly the environment that it is given. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Something that runs until it ends or is stopped. The supervisor knows its children as this. */
export interface Running {
  pid: number;
  /** Resolves when it has ended, whoever ended it, with the way it ended for a person to read. */
  exited: Promise<string>;
  /** Ends it and waits until it has ended. Safe to repeat. */
  stop(): Promise<void>;
}

export interface ProcessOptions {
  command: string;
  args: string[];
  /** The whole environment: nothing is inherited. */
  env: Record<string, string>;
  cwd?: string;
  /** Gets what it writes on stdout and stderr, line by line. */
  onLine: (line: string) => void;
  /** An IPC channel: the child sees `disconnect` when this process dies, however it dies (see child.ts). */
  ipc?: boolean;
  /** Gets the process id at once, before anything else happens. */
  onSpawn?: (pid: number) => void;
  /** How long SIGTERM may take until SIGKILL follows, ms. */
  stopMs: number;
}

export interface RunningProcess extends Running {
  child: ChildProcess;
}

/** @throws Error when the program cannot be started at all. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const child = spawn(options.command, options.args, {
    env: options.env,
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
    // Ctrl-C on a terminal reaches a whole process group: children are stopped by us, in order, instead.
    detached: true,
  });
  if (child.pid !== undefined) options.onSpawn?.(child.pid);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', options.onLine);
  }
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with exit code ${code}`));
  });
  await once(child, 'spawn');
  child.on('error', (error) => options.onLine(`${options.command}: ${error.message}`));
  const stop = async () => {
    await endProcess(child, options.stopMs);
  };
  return { child, pid: child.pid ?? 0, exited, stop };
}

async function endProcess(child: ChildProcess, patienceMs: number): Promise<void> {
  for (const [signal, patience] of [
    ['SIGTERM', patienceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const timeout = new AbortController();
    const ended = once(child, 'exit', { signal: timeout.signal }).catch(() => undefined);
    const timer = setTimeout(() => timeout.abort(), patience);
    child.kill(signal);
    await ended;
    clearTimeout(timer);
  }
}
