/**
 * The `bash` tool. Each command is a process of its own, under the agent's uid, in its own session and process group;
 * what makes it feel like one shell is that exports and working directory are carried from a thread's command to its
 * next.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { signalCall } from './agent-processes.ts';
import { createPipes } from './fifo.ts';
import { type OutputSpool, openSpool } from './output.ts';
import { AGENT_UID, HOME, type ServerConfig, WORKSPACE } from './protocol.ts';
import { parseState, SHELL_SCRIPT, type ShellState, stateFile } from './shell-script.ts';

/** Between SIGTERM and SIGKILL, milliseconds. */
const TERM_GRACE_MS = 300;
const BASE_ENV: Record<string, string> = {
  // Our own node last: an operator's root file system may bring another.
  PATH: `${HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin:${dirname(process.execPath)}`,
  HOME,
  USER: 'agent',
  LOGNAME: 'agent',
  SHELL: '/bin/bash',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  // Nobody is there to page or to type.
  PAGER: 'cat',
  GIT_TERMINAL_PROMPT: '0',
};

export interface BashEnd {
  text: string;
  /** Bytes of output that were not kept. */
  dropped: number;
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** Why the server ended it, when it did. */
  ended?: 'timeout' | 'stopped';
  /** First command of this thread in a new shell: what to tell. */
  note?: string;
}

export interface BashRun {
  /** Process group. */
  pid: number;
  /** Ends the command; the run then resolves. */
  stop(): void;
  end: Promise<BashEnd>;
}

export interface Bash {
  /** Starts a command; the deadline counts from now. Throws when no process can be had. */
  start(call: { id: string; thread: string; command: string; deadlineMs: number }): Promise<BashRun>;
  /** Forgets a thread's shell. */
  restart(thread: string): void;
}

/** Makes the tool; `spoolDir` is the server's own. */
export function createBash(config: ServerConfig, spoolDir: string): Bash {
  const script = join(config.runDir, 'shell.sh');
  const callsDir = join(config.runDir, 'bash');
  mkdirSync(callsDir, { recursive: true, mode: 0o755 });
  mkdirSync(spoolDir, { recursive: true, mode: 0o700 });
  writeFileSync(script, SHELL_SCRIPT, { mode: 0o644 });
  const takePipe = createPipes(join(config.runDir, 'pipes'));
  const shells = new Map<string, ShellState>();
  const told = new Set<string>();
  let started = 0;

  return {
    restart(thread) {
      shells.delete(thread);
      told.add(thread);
    },
    async start({ id, thread, command, deadlineMs }) {
      // Short: bash puts this path in front of its error messages.
      const name = String(++started);
      const files = { command: join(callsDir, name), state: join(callsDir, `${name}.env`) };
      const state = shells.get(thread) ?? { cwd: WORKSPACE, exports: '' };
      const pipe = await takePipe();
      const spool = openSpool(join(spoolDir, name), config.outputBytes);
      pipe.readable.on('data', (chunk) => spool.write(chunk)).on('error', () => undefined);
      let child: ChildProcess;
      try {
        writeFileSync(files.command, command, { mode: 0o644 });
        writeFileSync(files.state, stateFile(state), { mode: 0o644 });
        child = spawn('/bin/bash', ['--noprofile', '--norc', script, files.command, files.state, id], {
          uid: AGENT_UID,
          gid: AGENT_UID,
          cwd: '/',
          // With a state its exports are everything, so that what was unset stays unset.
          env: shells.has(thread) ? {} : BASE_ENV,
          detached: true,
          stdio: ['ignore', pipe.writeFd, pipe.writeFd, 'pipe'],
        });
        await once(child, 'spawn');
      } catch (error) {
        pipe.readable.destroy();
        spool.close();
        removeFiles(files);
        throw error;
      } finally {
        closeSync(pipe.writeFd);
      }
      const note = told.has(thread) ? undefined : config.shellNote;
      told.add(thread);
      const run = follow(child, id, deadlineMs, { output: pipe.readable, spool });
      const end = run.end.then(({ after, ...result }) => {
        removeFiles(files);
        if (result.ended) shells.delete(thread);
        else if (after) shells.set(thread, after);
        return { ...result, note };
      });
      return { pid: child.pid ?? 0, stop: run.stop, end };
    },
  };
}

function removeFiles(files: Record<string, string>): void {
  for (const path of Object.values(files)) rmSync(path, { force: true });
}

function follow(
  child: ChildProcess,
  callId: string,
  deadlineMs: number,
  { output, spool }: { output: Readable; spool: OutputSpool },
): { stop(): void; end: Promise<BashEnd & { after?: ShellState }> } {
  const pgid = child.pid ?? 0;
  let ended: BashEnd['ended'];
  let kill: NodeJS.Timeout | undefined;
  const end = (why: 'timeout' | 'stopped') => {
    if (ended) return;
    ended = why;
    signalCall(callId, pgid, 'SIGTERM');
    kill = setTimeout(() => signalCall(callId, pgid, 'SIGKILL'), TERM_GRACE_MS);
  };
  const deadline = setTimeout(() => end('timeout'), deadlineMs);
  const stateChunks: Buffer[] = [];
  const stateOut = child.stdio[3] as Readable;
  stateOut.on('data', (chunk: Buffer) => stateChunks.push(chunk)).on('error', () => undefined);

  const finished = async () => {
    const [exitCode, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    clearTimeout(deadline);
    clearTimeout(kill);
    // What left the group on SIGTERM, or ignored it, goes too.
    if (ended) signalCall(callId, pgid, 'SIGKILL');
    await Promise.all([drained(output), drained(stateOut)]);
    const after = parseState(Buffer.concat(stateChunks));
    stateOut.destroy();
    const { text, dropped } = spool.read();
    spool.close();
    // Background processes may hold the pipe: whatever they still write is read and dropped, or they would be stuck.
    output.removeAllListeners('data').on('data', () => undefined);
    output.on('end', () => output.destroy());
    return { text, dropped, exitCode, signal, ended, after };
  };
  return { stop: () => end('stopped'), end: finished() };
}

/**
 * Resolves when what a dead process wrote has been read. Not at the end of the stream: a background process may keep
 * that open for hours. A pipe is drained when a round of the event loop brought nothing.
 */
async function drained(stream: Readable): Promise<void> {
  for (let quiet = 0; quiet < 2 && !stream.readableEnded && !stream.destroyed; ) {
    let got = false;
    const listener = () => {
      got = true;
    };
    stream.on('data', listener);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 1));
    stream.off('data', listener);
    quiet = got ? 0 : quiet + 1;
  }
}
