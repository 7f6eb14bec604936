/** The tool calls of a session, as its workflow runs them: each in the sandbox, until it ends or nobody waits for it. */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { SandboxRef } from '../sandbox/hands.ts';
import { execute } from './activities.ts';
import type { SessionInput } from './contract.ts';
import { MACHINE_GONE, reason, waitedInVain } from './failure-words.ts';
import { deadline } from './reducer/calls.ts';
import type { SessionHost } from './session-host.ts';
import type { SessionSandbox } from './session-sandbox.ts';
import type { Call } from './state.ts';

export interface SessionCalls {
  /** Runs a call and dispatches how it ended. */
  run(call: Call): Promise<void>;
  /** Those that are out now. Cancelling one ends the wait for it; nothing is dispatched then. */
  open(): CancellationScope[];
}

export function createSessionCalls(
  { settings }: Pick<SessionInput, 'settings'>,
  host: SessionHost,
  sandbox: Pick<SessionSandbox, 'ensure' | 'route' | 'stop'>,
): SessionCalls {
  const executing = new Map<string, CancellationScope>();

  async function run(call: Call): Promise<void> {
    host.begin();
    const scope = new CancellationScope({ cancellable: true });
    executing.set(call.id, scope);
    /** Set once the call may have been sent. */
    let ref: SandboxRef | undefined;
    try {
      const sandboxRef = await sandbox.ensure();
      if (host.state().turn?.calls.find((one) => one.id === call.id)?.state !== 'running') return;
      ref = sandboxRef;
      const { deadlineMs } = deadline(call, settings);
      const result = await scope.run(() =>
        execute(
          sandbox.route(sandboxRef),
          deadlineMs,
          call.summary,
        )({
          ref: sandboxRef,
          call: { id: call.id, thread: host.state().thread, name: call.name, input: call.input, deadlineMs },
          ...(call.inputBlobs ? { inputBlobs: call.inputBlobs } : {}),
        }),
      );
      host.dispatch({ in: 'executed', call: call.id, result, generation: sandboxRef.generation });
    } catch (error) {
      if (isCancellation(error)) return;
      failed(call, ref, error);
    } finally {
      executing.delete(call.id);
      host.end();
    }
  }

  function failed(call: Call, ref: SandboxRef | undefined, error: unknown): void {
    const waited = waitedInVain(error);
    if (ref?.queue !== undefined && waited) {
      // Its machine is gone, and the sandbox with it: the next call gets a new one elsewhere.
      const result = { kind: 'lost', started: waited.taken ? 'maybe' : 'no', message: MACHINE_GONE } as const;
      host.dispatch({ in: 'executed', call: call.id, result, generation: ref.generation });
      return;
    }
    const begun = ref !== undefined && !(waited && !waited.taken);
    // Nobody waits for it any more; it must not go on behind the model's back.
    if (begun) host.background(() => sandbox.stop([call.id]));
    host.dispatch({ in: 'executeFailed', call: call.id, message: reason(error), started: begun });
  }

  return { run, open: () => [...executing.values()] };
}
