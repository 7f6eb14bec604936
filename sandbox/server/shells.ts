/**
 * Shells that stay between commands. Making a process from Node costs 29 ms of a processor inside gVisor, a fork of a
 * small bash a fifth of that: so a bash stays, and forks for each command, ahead of need, while the model thinks. The
 * command runs in that fork, a process group of its own; nothing of it comes back into the shell, which can therefore
 * serve the next one, of any thread.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import { constants as os } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './agent-processes.ts';
import { createPipes, type OutputPipe } from './fifo.ts';
import { AGENT_UID } from './protocol.ts';
import { MAX_STATE_BYTES, parseEnd, SHELL_SCRIPT, type ShellState, stateFile } from './shell-script.ts';

/** A fork that is ended before it is ready is made anew: this many times. */
const ATTEMPTS = 3;
/** Shells that stay, the one whose fork waits included. More of them, for commands side by side, end after their command. */
const KEPT = 1;
/** A command's end leaves the processor to those who wait for its result before the next fork is made. */
const REFILL_AFTER_MS = 20;
/** Between looks at a command whose shell is gone. */
const LOOK_MS = 20;
/** What a shell says of a command that a signal has ended is 128 and the signal's number. */
const BY_SIGNAL = 128;
const SIGNALS = new Map(Object.entries(os.signals).map(([name, number]) => [number, name as NodeJS.Signals]));

/** A command that runs. */
export interface ShellRun {
  /** Process group, and the pid of its first process. */
  pgid: number;
  /** stdout and stderr; never ends by itself. */
  output: Socket;
  /** Settles when the first process has ended. */
  ended: Promise<ShellEnd>;
}

export interface ShellEnd {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** What the next command of the thread begins with; undefined when it could not say (killed, replaced by `exec`). */
  after: ShellState | undefined;
}

export interface Shells {
  /** Begins a command. Rejects when no process can be had; it has not run then. */
  run(callId: string, command: string, state: ShellState): Promise<ShellRun>;
  /** Pids of shells and of the fork that waits: under the agent's uid, and no work of the agent's. */
  readonly pids: ReadonlySet<number>;
}

/** A fork that waits for its command. */
interface Fork {
  shell: Shell;
  pid: number;
  pipe: OutputPipe;
  /** Its command's file; the others stand beside it. */
  path: string;
  /** Settles with what its shell says when it has ended: the exit status; undefined when the shell ended too. */
  over: Promise<number | undefined>;
  isOver: boolean;
}

/** @param runDir - a folder that commands can read and not write. */
export function createShells(runDir: string): Shells {
  const script = join(runDir, 'shell.sh');
  // Short: bash puts the paths in it in front of its error messages.
  const dir = join(runDir, 'bash');
  rmSync(dir, { recursive: true, force: true });
  const prepareFiles = () => {
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    if (!existsSync(script)) writeFileSync(script, SHELL_SCRIPT, { mode: 0o644 });
  };
  prepareFiles();
  const takePipe = createPipes(dir);
  const staying: Shell[] = [];
  const pids = new Set<number>();
  let next: Promise<Fork | undefined> | undefined;
  let timer: NodeJS.Timeout | undefined;

  /** Rejects when no process can be had. */
  const fork = async (): Promise<Fork> => {
    for (let attempt = 1; ; attempt++) {
      prepareFiles();
      const pipe = await takePipe();
      const path = join(dir, String(pipe.number));
      let shell: Shell | undefined;
      let pid: number | undefined;
      try {
        writeFileSync(`${path}.after`, '', { mode: 0o600 });
        chownSync(`${path}.after`, AGENT_UID, AGENT_UID);
        shell = staying.pop() ?? (await startShell(script, dir, pids));
        pid = await shell.fork(pipe.number);
      } finally {
        pipe.seal();
        if (pid === undefined) discard(shell, pipe, path);
      }
      if (pid !== undefined) {
        const waiting = pid;
        pids.add(waiting);
        const made: Fork = { shell, pid, pipe, path, over: shell.over(), isOver: false };
        made.over = made.over.finally(() => {
          made.isOver = true;
          pids.delete(waiting);
        });
        return made;
      }
      if (attempt === ATTEMPTS) throw new Error('shells are ended as soon as they are started');
    }
  };
  /** Makes the next one ahead of need. */
  const prepare = () => {
    timer = undefined;
    const made = fork().catch(() => undefined);
    next = made;
    // The agent may end it like any process of its own (`pkill bash`).
    made
      .then(async (one) => {
        if (!one) return;
        await one.over;
        if (next === made) discard(one.shell, one.pipe, one.path);
      })
      .catch(() => undefined)
      .finally(() => {
        if (next === made) next = undefined;
      });
  };
  prepare();
  const take = async (): Promise<Fork> => {
    clearTimeout(timer);
    timer = undefined;
    const waiting = next;
    next = undefined;
    const made = await waiting;
    if (made && !made.isOver) return made;
    if (made) discard(made.shell, made.pipe, made.path);
    return await fork();
  };

  const finish = async ({ shell, pid, path, over }: Fork): Promise<ShellEnd> => {
    const said = await over;
    if (said === undefined) {
      // Its shell was ended, by the agent. The command goes on.
      await goneFor(pid);
    } else if (staying.length + (next ? 1 : 0) < KEPT) {
      staying.push(shell);
    } else {
      shell.end();
    }
    const left = readEnd(`${path}.after`);
    removeFiles(path);
    if (!next) timer ??= setTimeout(prepare, REFILL_AFTER_MS);
    // One that ends as it should leaves its state.
    if (left) return { exitCode: said ?? left.status, signal: null, after: left.after };
    const signal = said === undefined ? 'SIGKILL' : SIGNALS.get(said - BY_SIGNAL);
    if (!signal) return { exitCode: said ?? null, signal: null, after: undefined };
    // Stopped, it counts as over as well.
    endProcess(pid);
    return { exitCode: null, signal, after: undefined };
  };

  return {
    pids,
    async run(callId, command, state) {
      const made = await take();
      try {
        prepareFiles();
        writeFileSync(made.path, command, { mode: 0o644 });
        writeFileSync(`${made.path}.env`, stateFile(state, callId), { mode: 0o644 });
      } catch (error) {
        discard(made.shell, made.pipe, made.path);
        throw error;
      }
      pids.delete(made.pid);
      made.shell.begin();
      return { pgid: made.pid, output: made.pipe.readable, ended: finish(made) };
    },
  };
}

/** Ends a shell whose fork will not begin: it reads the end of its word to begin, and ends. */
function discard(shell: Shell | undefined, pipe: OutputPipe, path: string): void {
  shell?.end();
  pipe.readable.destroy();
  removeFiles(path);
}

interface Shell {
  /** The pid of a fork that waits; undefined when it ended before that. */
  fork(number: number): Promise<number | undefined>;
  /** Lets the fork run its command. */
  begin(): void;
  /** The exit status of the fork; undefined when the shell ended instead. */
  over(): Promise<number | undefined>;
  end(): void;
}

/** Rejects when no process can be had. @param pids - has its pid while it lives. */
async function startShell(script: string, dir: string, pids: Set<number>): Promise<Shell> {
  const child: ChildProcess = spawn('/bin/bash', ['--noprofile', '--norc', script, dir], {
    uid: AGENT_UID,
    gid: AGENT_UID,
    cwd: '/',
    // The state's exports are everything, so that what was unset stays unset.
    env: {},
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  exited.catch(() => undefined);
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  pids.add(pid);
  const control = child.stdio[3] as Socket;
  control.on('error', () => undefined);
  const lines: string[] = [];
  let heard = '';
  let news = Promise.withResolvers<void>();
  let over = false;
  control.on('data', (chunk: Buffer) => {
    const parts = (heard + chunk.toString('latin1')).split('\n');
    heard = parts.pop() ?? '';
    lines.push(...parts);
    news.resolve();
  });
  const close = () => {
    over = true;
    news.resolve();
  };
  control.once('close', close);
  // What it said before is heard first. From then on a fork of it that waits reads the end of its word.
  exited.then(() => setImmediate(() => setImmediate(() => control.destroy())), close).finally(() => pids.delete(pid));
  /** The number after this word; undefined when something else was said, or nothing will be any more. */
  const answer = async (word: string): Promise<number | undefined> => {
    while (lines.length === 0 && !over) {
      news = Promise.withResolvers();
      await news.promise;
    }
    const [said, number] = lines.shift()?.split(' ') ?? [];
    return said === word ? Number(number) : undefined;
  };
  return {
    async fork(number) {
      control.write(`${number}\n`);
      return await answer('ready');
    },
    begin: () => void control.write('\n'),
    over: () => answer('over'),
    end: () => control.destroy(),
  };
}

/** Resolves when a process that is nobody's child any more has ended. */
async function goneFor(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(LOOK_MS);
}

/** No more than what may be in it: the agent can write there. */
function readEnd(path: string): ReturnType<typeof parseEnd> {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(MAX_STATE_BYTES + 1);
    return parseEnd(bytes.subarray(0, readSync(fd, bytes)));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function removeFiles(path: string): void {
  for (const suffix of ['', '.env', '.after']) rmSync(path + suffix, { force: true });
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
