/** The tool server's side of the file tools' process: starts it under the agent's uid, asks it, replaces it. */
import { type ChildProcess, fork } from 'node:child_process';
import type { FileStat, OutputListing } from '../hands.ts';
import type { CallResult } from './journal.ts';
import { AGENT_UID, HOME, WORKSPACE } from './protocol.ts';
import type { WorkerReply, WorkerRequest } from './tool-worker.ts';

/** It starts when the command that woke it had a moment of its own, milliseconds. */
const WARM_AFTER_MS = 400;
/** Without a call it is ended after this long, milliseconds: it is a third of the memory of a sandbox at rest. */
const REST_MS = 30_000;
/** After an abort, milliseconds until the process is ended with whatever else it does. */
const ABORT_GRACE_MS = 1_000;

/** The process ended while it worked: the agent killed it, or it ran out of memory. */
export class ToolProcessDiedError extends Error {
  override name = 'ToolProcessDiedError';
}

export interface ToolProcess {
  /** Runs a file tool. Rejects with {@link ToolProcessDiedError}; an abort ends it within a second. */
  run(name: string, input: Record<string, unknown>, signal: AbortSignal): Promise<CallResult>;
  list(path: string): Promise<FileStat[]>;
  /** The regular file behind a path that the agent may read; rejects with a reason for people. */
  locate(path: string): Promise<FileStat>;
  /** What the agent left to be brought out. */
  outputs(limits: { fileBytes: number; files: number }): Promise<OutputListing>;
  /** Somebody works here: the process, which takes 0.3 s to start, is started ahead of need. */
  warm(): void;
}

interface Pending {
  resolve(reply: WorkerReply): void;
  reject(error: Error): void;
}

/** In this container. */
export interface LocalToolProcess extends ToolProcess {
  /** While it runs. */
  readonly pid: number | undefined;
}

/** `bundle` is this program's own file. */
export function createToolProcess(bundle: string): LocalToolProcess {
  let child: ChildProcess | undefined;
  let lastRef = 0;
  let warming = false;
  const pending = new Map<number, Pending>();
  const rest = setTimeout(() => {
    if (pending.size > 0) {
      rest.refresh();
      return;
    }
    const idle = child;
    child = undefined;
    idle?.kill('SIGKILL');
  }, REST_MS);

  const start = (): ChildProcess => {
    const started = fork(bundle, ['--tools'], {
      uid: AGENT_UID,
      gid: AGENT_UID,
      cwd: WORKSPACE,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME, LANG: 'C.UTF-8' },
      execArgv: ['--max-old-space-size=256'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      detached: true,
    });
    const ended = (why: string) => {
      if (child === started) child = undefined;
      else return;
      for (const { reject } of pending.values()) reject(new ToolProcessDiedError(why));
      pending.clear();
    };
    started.on('message', (message) => {
      const reply = message as WorkerReply;
      // The agent can write to this channel with ptrace: a reply that nobody waits for is dropped.
      const waiting = pending.get(reply?.ref);
      pending.delete(reply?.ref);
      waiting?.resolve(reply);
    });
    started.once('error', (error) => ended(error.message));
    started.once('exit', (code, signal) => ended(`the process of the file tools ended (${signal ?? code})`));
    return started;
  };

  const ask = (request: WorkerRequest): Promise<WorkerReply> => {
    rest.refresh();
    child ??= start();
    const target = child;
    return new Promise((resolve, reject) => {
      pending.set(request.ref, { resolve, reject });
      target.send(request, (error) => {
        if (error && pending.delete(request.ref)) reject(new ToolProcessDiedError(error.message));
      });
    });
  };

  return {
    get pid() {
      return child?.pid;
    },
    warm() {
      rest.refresh();
      if (child || warming) return;
      warming = true;
      setTimeout(() => {
        warming = false;
        child ??= start();
      }, WARM_AFTER_MS);
    },
    async run(name, input, signal) {
      const ref = ++lastRef;
      const onAbort = () => {
        child?.send({ ref: ++lastRef, op: 'abort', target: ref } satisfies WorkerRequest, () => undefined);
        setTimeout(() => {
          if (pending.has(ref)) child?.kill('SIGKILL');
        }, ABORT_GRACE_MS).unref();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        const reply = await ask({ ref, op: 'tool', name, input });
        if ('content' in reply && Array.isArray(reply.content))
          return { content: reply.content, isError: reply.isError };
        return { content: [{ type: 'text', text: failureOf(reply) }], isError: true };
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
    async list(path) {
      const reply = await ask({ ref: ++lastRef, op: 'list', path });
      if ('files' in reply) return reply.files;
      throw new Error(failureOf(reply));
    },
    async outputs(limits) {
      const reply = await ask({ ref: ++lastRef, op: 'outputs', limits });
      if ('outputs' in reply) return reply.outputs;
      throw new Error(failureOf(reply));
    },
    async locate(path) {
      const reply = await ask({ ref: ++lastRef, op: 'locate', path });
      if ('file' in reply) return reply.file;
      throw new Error(failureOf(reply));
    },
  };
}

function failureOf(reply: WorkerReply): string {
  return 'failure' in reply ? String(reply.failure) : 'unexpected answer';
}
