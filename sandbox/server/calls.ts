/**
 * The calls of this sandbox: started once, attached to as often as asked, their results kept in the journal. One
 * thread's `bash` calls run in order, everything else in parallel.
 */
import { createHash } from 'node:crypto';
import { type AgentSide, AgentSideLostError } from './agent-side.ts';
import type { BashEnd } from './bash.ts';
import type { CallResult, Journal } from './journal.ts';
import { clip } from './output.ts';
import type { CallRequest, CallState, StopRequest } from './protocol.ts';
import { ToolProcessDiedError } from './tool-process.ts';

/** Read-only tools may run again after their process was killed under them. */
const REPEATABLE = new Set(['read', 'glob', 'grep']);

/** The same id with another input: ids are unique, so one of the two callers is wrong. */
export class CallConflictError extends Error {
  override name = 'CallConflictError';
}

export interface Calls {
  /** Starts the call, or attaches to it, or returns its end. Throws when the journal cannot be written. */
  start(id: string, request: CallRequest): CallState;
  /** The state as of now; undefined for a call that was never asked for. */
  state(id: string): CallState | undefined;
  /** Resolves when the call has ended or `ms` have passed. */
  wait(id: string, ms: number): Promise<CallState | undefined>;
  /** Ends calls, running or waiting, and resolves when they are recorded as interrupted. */
  stop(request: StopRequest): Promise<void>;
}

interface Live {
  thread: string;
  abort: AbortController;
  ended: Promise<void>;
}

interface Parts {
  journal: Journal;
  side: AgentSide;
}

export function createCalls({ journal, side: { bash, tools, ready } }: Parts): Calls {
  const live = new Map<string, Live>();
  const queues = new Map<string, Promise<void>>();

  const launch = (id: string, request: CallRequest) => {
    const abort = new AbortController();
    const previous = request.name === 'bash' ? queues.get(request.thread) : undefined;
    const ended = (previous ?? Promise.resolve()).then(() => runToEnd(id, request, abort.signal));
    const settled = ended.catch((error: Error) => {
      // Only a journal that cannot be written ends here: without it nothing more may be promised.
      process.stderr.write(`tool server: ${error.stack}\n`);
      process.exit(1);
    });
    if (request.name === 'bash') queues.set(request.thread, settled);
    live.set(id, { thread: request.thread, abort, ended: settled.then(() => void live.delete(id)) });
  };

  const runToEnd = async (id: string, request: CallRequest, signal: AbortSignal) => {
    const missing = await ready().then(
      () => undefined,
      (error: Error) => error,
    );
    if (signal.aborted) return journal.finish(id, interrupted('It had not started.'));
    if (missing) return journal.finish(id, failure(`${request.name}: it was not started: ${missing.message}`));
    if (request.name === 'bash') return await runBash(id, request, signal);
    await runTool(id, request, signal);
  };

  const runBash = async (id: string, { thread, input, deadlineMs }: CallRequest, signal: AbortSignal) => {
    const command = typeof input.command === 'string' ? input.command : '';
    if (input.restart === true) bash.restart(thread);
    if (!command) {
      const startedAt = journal.start(id);
      const result = input.restart === true ? text('[The shell is new.]') : failure('bash: command is required');
      return journal.finish(id, result, startedAt);
    }
    const startedAt = journal.start(id);
    const run = await bash.start({ id, thread, command, deadlineMs }).catch((error: Error) => error);
    if (run instanceof Error) {
      return journal.finish(id, failure(`bash: no process could be started: ${run.message}`), startedAt);
    }
    signal.addEventListener('abort', () => run.stop(), { once: true });
    if (signal.aborted) run.stop();
    const end = await run.end.catch((error: unknown) => {
      if (error instanceof AgentSideLostError) return error;
      throw error;
    });
    if (end instanceof AgentSideLostError) return journal.declareUnknown(id, end.message);
    journal.finish(id, bashResult(id, end, deadlineMs), startedAt);
  };

  const runTool = async (id: string, { name, input, deadlineMs }: CallRequest, signal: AbortSignal) => {
    const startedAt = journal.start(id);
    const timeout = AbortSignal.timeout(deadlineMs);
    const either = AbortSignal.any([signal, timeout]);
    const attempt = () => tools.run(name, input, either);
    try {
      const result = await attempt().catch((error: unknown) => {
        if (error instanceof ToolProcessDiedError && REPEATABLE.has(name) && !either.aborted) return attempt();
        throw error;
      });
      if (either.aborted && result.isError) throw new ToolProcessDiedError('aborted');
      journal.finish(id, clipped(id, name, input, result), startedAt);
    } catch (error) {
      if (!(error instanceof ToolProcessDiedError)) throw error;
      if (signal.aborted) return journal.finish(id, interrupted(''), startedAt);
      if (timeout.aborted) return journal.finish(id, failure(`${name}: ended after ${deadlineMs} ms`), startedAt);
      if (REPEATABLE.has(name)) return journal.finish(id, failure(`${name}: ${error.message}`), startedAt);
      journal.declareUnknown(id, `${name} was running when ${error.message}; look at the file before you go on.`);
    }
  };

  const state = (id: string): CallState | undefined => {
    const known = journal.get(id);
    if (!known) return undefined;
    if (known.state === 'finished') return { state: 'finished', ...journal.result(id) };
    if (known.state === 'unknown') return { state: 'unknown', message: known.message };
    if (known.state === 'started') return { state: 'started', startedAt: known.startedAt };
    return { state: 'accepted' };
  };

  return {
    start(id, request) {
      const fingerprint = fingerprintOf(request);
      const known = journal.get(id);
      // Interrupted before it came: its fingerprint was not known then.
      if (known?.fingerprint && known.fingerprint !== fingerprint) {
        throw new CallConflictError(`Call ${id} was made before with another input.`);
      }
      if (!known) journal.accept(id, request.thread, fingerprint);
      // Accepted by a server that ended before it began: it has not run.
      if (journal.get(id)?.state === 'accepted' && !live.has(id)) launch(id, request);
      return state(id) ?? { state: 'accepted' };
    },
    state,
    async wait(id, ms) {
      const running = live.get(id);
      if (running && ms > 0) {
        let timer: NodeJS.Timeout | undefined;
        const pause = new Promise((resolve) => {
          timer = setTimeout(resolve, ms);
        });
        await Promise.race([running.ended, pause]);
        clearTimeout(timer);
      }
      return state(id);
    },
    async stop({ thread, ids }) {
      const chosen = ids ?? [...live].filter(([, call]) => call.thread === thread).map(([id]) => id);
      await Promise.all(
        chosen.map(async (id) => {
          const running = live.get(id);
          running?.abort.abort();
          await running?.ended;
          // Not here yet, or accepted by an earlier server: it must not start when it comes.
          const known = journal.get(id)?.state;
          if (!known || known === 'accepted') journal.finish(id, interrupted('It had not started.'));
        }),
      );
    },
  };
}

/** What a crash of the server left open: started calls have no live process any more, so nobody knows. */
export function settleLeftOpen(journal: Journal): void {
  for (const { id, state } of journal.open()) {
    if (state.state !== 'started') continue;
    journal.declareUnknown(
      id,
      'The tool server was restarted while this call ran, so its result is lost; it may have had effects.',
    );
  }
}

function fingerprintOf({ name, input, thread }: CallRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([name, thread, input]))
    .digest('hex')
    .slice(0, 32);
}

function bashResult(id: string, end: BashEnd, deadlineMs: number): CallResult {
  const output = clip(end.text, id).replace(/\n+$/, '');
  const notes = (end.limits ?? []).map((limit) => `[${limit}]`);
  if (end.dropped > 0) notes.push(`[${end.dropped} more bytes of output were not kept.]`);
  if (end.ended === 'timeout') notes.push(`[Timed out after ${deadlineMs} ms and was killed. The shell is new.]`);
  else if (end.ended === 'stopped') notes.push('[Interrupted. The shell is new.]');
  else if (end.signal) notes.push(`[Killed by ${end.signal}.]`);
  else if (end.exitCode !== 0) notes.push(`[exit code ${end.exitCode}]`);
  const parts = [...(end.note ? [`[${end.note}]`] : []), ...(output ? [output] : []), ...notes];
  const isError = Boolean(end.ended || end.signal || end.exitCode !== 0);
  return { content: [{ type: 'text', text: parts.join('\n') || '[no output]' }], isError };
}

function clipped(
  id: string,
  name: string,
  input: Record<string, unknown>,
  { content, isError }: CallResult,
): CallResult {
  const existing = name === 'read' && typeof input.file_path === 'string' ? input.file_path : undefined;
  const blocks = content.map((block) =>
    block.type === 'text' ? { ...block, text: clip(block.text, id, existing) || '[empty]' } : block,
  );
  return { content: blocks, isError };
}

function text(message: string): CallResult {
  return { content: [{ type: 'text', text: message }], isError: false };
}

function failure(message: string): CallResult {
  return { content: [{ type: 'text', text: message }], isError: true };
}

function interrupted(detail: string): CallResult {
  return failure(`[Interrupted. ${detail}`.trim().concat(']'));
}
