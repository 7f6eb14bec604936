/**
 * Shells that stay between commands. Making a process from Node costs 25 ms of a processor inside gVisor, a fork of a
 * small bash a fifth of that: so a bash waits, and forks for each command. The command runs in that fork, a process group
 * of its own; nothing of it comes back into the shell, which can therefore serve the next one, of any thread.
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

/** A command whose shell was ended before it began is given to another one: this many times. */
const ATTEMPTS = 3;
/** Shells that wait. More of them, for commands side by side, end after their command. */
const KEPT = 1;
/** A command's end leaves the processor to those who wait for its result before the next shell is made. */
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
}

/** @param runDir - a folder that commands can read and not write. */
export function createShells(runDir: string): Shells {
  const script = join(runDir, 'shell.sh');
  const callsDir = join(runDir, 'bash');
  const prepareFiles = () => {
    mkdirSync(callsDir, { recursive: true, mode: 0o755 });
    if (!existsSync(script)) writeFileSync(script, SHELL_SCRIPT, { mode: 0o644 });
  };
  prepareFiles();
  const takePipe = createPipes(callsDir);
  const waiting: Shell[] = [];
  let making: Promise<void> | undefined;
  let commands = 0;

  const make = async (): Promise<Shell> => {
    prepareFiles();
    return await startShell(script);
  };
  const keep = (shell: Shell) => {
    if (waiting.length >= KEPT) return shell.end();
    waiting.push(shell);
    // The agent may end it like any process of its own (`pkill bash`).
    const forget = () => {
      const at = waiting.indexOf(shell);
      if (at >= 0) waiting.splice(at, 1);
    };
    shell.exited.then(forget, forget);
  };
  const refill = () => {
    if (waiting.length > 0) return;
    making ??= make()
      .then(keep, () => undefined)
      .finally(() => {
        making = undefined;
      });
  };
  refill();
  const take = async (): Promise<Shell> => {
    await making;
    return waiting.pop() ?? (await make());
  };

  const begin = async (callId: string, files: Files, pipe: OutputPipe): Promise<ShellRun | undefined> => {
    const shell = await take();
    const pid = await shell.begin(callId, files, pipe.path);
    if (pid === undefined) {
      shell.end();
      return undefined;
    }
    const finish = async (): Promise<ShellEnd> => {
      const said = await shell.over();
      if (said === undefined) {
        // Its shell was ended, by the agent. The command goes on.
        setTimeout(refill, REFILL_AFTER_MS);
        await goneFor(pid);
      } else {
        keep(shell);
      }
      const left = readEnd(files.after);
      removeFiles(files);
      // One that ends as it should leaves its state.
      if (left) return { exitCode: said ?? left.status, signal: null, after: left.after };
      const signal = said === undefined ? 'SIGKILL' : SIGNALS.get(said - BY_SIGNAL);
      if (!signal) return { exitCode: said ?? null, signal: null, after: undefined };
      // Stopped, it counts as over as well.
      endProcess(pid);
      return { exitCode: null, signal, after: undefined };
    };
    return { pgid: pid, output: pipe.readable, ended: finish() };
  };

  return {
    async run(callId, command, state) {
      prepareFiles();
      // Short: bash puts this path in front of its error messages.
      const path = join(callsDir, String(++commands));
      const files: Files = { command: path, state: `${path}.env`, after: `${path}.after` };
      try {
        writeFileSync(files.command, command, { mode: 0o644 });
        writeFileSync(files.state, stateFile(state), { mode: 0o644 });
        writeFileSync(files.after, '', { mode: 0o600 });
        chownSync(files.after, AGENT_UID, AGENT_UID);
        for (let attempt = 1; ; attempt++) {
          const pipe = await takePipe();
          let run: ShellRun | undefined;
          try {
            run = await begin(callId, files, pipe);
          } finally {
            pipe.seal();
            if (!run) pipe.readable.destroy();
          }
          if (run) return run;
          if (attempt === ATTEMPTS) throw new Error('shells are ended as soon as they are started');
        }
      } catch (error) {
        removeFiles(files);
        throw error;
      }
    },
  };
}

interface Files {
  command: string;
  state: string;
  after: string;
}

interface Shell {
  /** Settles when the process has ended. */
  exited: Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  /** The pid of the command that it began; undefined when it ended before that: then nothing has run. */
  begin(callId: string, files: Files, output: string): Promise<number | undefined>;
  /** The exit status of the command; undefined when the shell ended instead. */
  over(): Promise<number | undefined>;
  end(): void;
}

/** Rejects when no process can be had. */
async function startShell(script: string): Promise<Shell> {
  const child: ChildProcess = spawn('/bin/bash', ['--noprofile', '--norc', script], {
    uid: AGENT_UID,
    gid: AGENT_UID,
    cwd: '/',
    // The state's exports are everything, so that what was unset stays unset.
    env: {},
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit') as Shell['exited'];
  await once(child, 'spawn');
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
  // What it said before is heard first. From then on a fork of it that has not begun cannot say so, and ends.
  exited.then(() => setImmediate(() => setImmediate(() => control.destroy())), close);
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
    exited,
    async begin(callId, files, output) {
      control.write(`${files.command} ${files.state} ${files.after} ${output} ${callId}\n`);
      return await answer('began');
    },
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

function removeFiles(files: Files): void {
  for (const path of Object.values(files)) rmSync(path, { force: true });
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
