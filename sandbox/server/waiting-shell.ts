/**
 * A bash that is started ahead of need and waits for its command: making a process costs 25 ms inside gVisor, which
 * then passes while the model thinks. It runs one command, like any other; only its start came earlier.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createPipes } from './fifo.ts';
import { AGENT_UID } from './protocol.ts';
import { SHELL_SCRIPT } from './shell-script.ts';

/** A command's end leaves the processor to those who wait for its result before the next shell is made. */
const REFILL_AFTER_MS = 20;

export interface WaitingShell {
  /** Process group. */
  pid: number;
  /** stdout and stderr; never ends by itself. */
  output: Socket;
  /** Takes the word to begin; gives the state that the shell leaves. */
  control: Socket;
  /** Where it looks for its command and for the state to begin with. */
  files: { command: string; state: string };
  /** Settles when the process has ended. */
  exited: Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  /** Lets it run what stands in `files`. */
  begin(callId: string): void;
}

export interface WaitingShells {
  /** The one that waits, or a new one. Throws when no process can be had. */
  take(): Promise<WaitingShell>;
  /** Sees to it that one waits, soon. */
  refill(): void;
}

/** @param runDir - a folder that commands can read and not write. */
export function createWaitingShells(runDir: string): WaitingShells {
  const script = join(runDir, 'shell.sh');
  const callsDir = join(runDir, 'bash');
  const prepareFiles = () => {
    mkdirSync(callsDir, { recursive: true, mode: 0o755 });
    if (!existsSync(script)) writeFileSync(script, SHELL_SCRIPT, { mode: 0o644 });
  };
  prepareFiles();
  const takePipe = createPipes(join(runDir, 'pipes'));
  let started = 0;
  let next: Promise<WaitingShell> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const start = async (): Promise<WaitingShell> => {
    // Short: bash puts this path in front of its error messages.
    const command = join(callsDir, String(++started));
    const files = { command, state: `${command}.env` };
    prepareFiles();
    const pipe = await takePipe();
    let child: ChildProcess;
    try {
      child = spawn('/bin/bash', ['--noprofile', '--norc', script, files.command, files.state], {
        uid: AGENT_UID,
        gid: AGENT_UID,
        cwd: '/',
        // The state's exports are everything, so that what was unset stays unset.
        env: {},
        detached: true,
        stdio: ['ignore', pipe.writeFd, pipe.writeFd, 'pipe'],
      });
      await once(child, 'spawn');
    } catch (error) {
      pipe.readable.destroy();
      throw error;
    } finally {
      closeSync(pipe.writeFd);
    }
    const control = child.stdio[3] as Socket;
    control.on('error', () => undefined);
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const begin = (callId: string) => void control.write(`${callId}\n`);
    return { pid: child.pid ?? 0, output: pipe.readable, control, files, exited, begin };
  };

  /** Makes the next one ahead of need. */
  const prepare = () => {
    timer = undefined;
    const made = start();
    next = made;
    const forget = () => {
      if (next === made) next = undefined;
    };
    made
      .then(async (shell) => {
        // The agent may end it like any process of its own (`pkill bash`).
        await shell.exited;
        if (next !== made) return;
        shell.output.destroy();
        shell.control.destroy();
      })
      .catch(() => undefined)
      .finally(forget);
  };
  prepare();

  return {
    take() {
      clearTimeout(timer);
      timer = undefined;
      // The one that waits has its script open, and still needs the folder.
      prepareFiles();
      const made = next ?? start();
      next = undefined;
      return made;
    },
    refill() {
      if (!next) timer ??= setTimeout(prepare, REFILL_AFTER_MS);
    },
  };
}
