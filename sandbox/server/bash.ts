/**
 * The `bash` tool. Each command is a process of its own, under the agent's uid, in its own process group; what makes it
 * feel like one shell is that exports and working directory are carried from a thread's command to its next.
 */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { signalCall } from './agent-processes.ts';
import { type OutputSpool, openSpool } from './output.ts';
import { HOME, type ServerConfig, WORKSPACE } from './protocol.ts';
import { firstState, type ShellState } from './shell-script.ts';
import { createShells, type ShellRun, type Shells } from './shells.ts';

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
  /** Limits that were enforced meanwhile, in words for the model. */
  limits?: string[];
}

export interface BashRun {
  /** Ends the command; the run then resolves. */
  stop(): void;
  /** Rejects with {@link AgentSideLostError} when nobody will ever know how it ended. */
  end: Promise<BashEnd>;
}

export interface Bash {
  /** Starts a command; the deadline counts from now. Throws when no process can be had. */
  start(call: { id: string; thread: string; command: string; deadlineMs: number }): Promise<BashRun>;
  /** Forgets a thread's shell. */
  restart(thread: string): void;
}

/** In this container. */
export interface LocalBash extends Bash {
  /** See {@link Shells.pids}. */
  readonly pids: Shells['pids'];
}

/** Makes the tool; `spoolDir` is the server's own. */
export function createBash(
  config: Pick<ServerConfig, 'runDir' | 'outputBytes' | 'shellNote'>,
  spoolDir: string,
): LocalBash {
  const processes = createShells(config.runDir);
  const first = firstState(WORKSPACE, BASE_ENV);
  const shells = new Map<string, ShellState>();
  const told = new Set<string>();
  let spools = 0;

  return {
    pids: processes.pids,
    restart(thread) {
      shells.delete(thread);
      told.add(thread);
    },
    async start({ id, thread, command, deadlineMs }) {
      mkdirSync(spoolDir, { recursive: true, mode: 0o700 });
      const spool = openSpool(join(spoolDir, String(++spools)), config.outputBytes);
      const began = processes.run(id, command, shells.get(thread) ?? first);
      const process = await began.catch((error: unknown) => {
        spool.close();
        throw error;
      });
      process.output.on('data', (chunk) => spool.write(chunk)).on('error', () => undefined);
      const note = told.has(thread) ? undefined : config.shellNote;
      told.add(thread);
      const run = follow(process, id, deadlineMs, spool);
      const end = run.end.then(({ after, ...result }) => {
        if (result.ended) shells.delete(thread);
        else if (after) shells.set(thread, after);
        return { ...result, note };
      });
      return { stop: run.stop, end };
    },
  };
}

function follow(
  { pgid, output, ended: over }: ShellRun,
  callId: string,
  deadlineMs: number,
  spool: OutputSpool,
): { stop(): void; end: Promise<BashEnd & { after?: ShellState }> } {
  let ended: BashEnd['ended'];
  let kill: NodeJS.Timeout | undefined;
  const end = (why: 'timeout' | 'stopped') => {
    if (ended) return;
    ended = why;
    signalCall(callId, pgid, 'SIGTERM');
    kill = setTimeout(() => signalCall(callId, pgid, 'SIGKILL'), TERM_GRACE_MS);
  };
  const deadline = setTimeout(() => end('timeout'), deadlineMs);

  const finished = async () => {
    const { exitCode, signal, after } = await over;
    clearTimeout(deadline);
    clearTimeout(kill);
    // What left the group on SIGTERM, or ignored it, goes too.
    if (ended) signalCall(callId, pgid, 'SIGKILL');
    await drained(output);
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
    // Two: between them the event loop has looked once at everything that can be read.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    stream.off('data', listener);
    quiet = got ? 0 : quiet + 1;
  }
}
