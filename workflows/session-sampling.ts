/**
 * The model requests of a session, as its workflow makes them: one at a time, each with the entries that it carries to
 * the store. Just before one, with nothing in flight, is where a long run is continued as new: then it is held.
 */
import { CancellationScope, isCancellation } from '@temporalio/workflow';
import { sample } from './activities.ts';
import type { SampleResult, SessionInput } from './contract.ts';
import { reason } from './failure-words.ts';
import type { Outbox } from './outbox.ts';
import type { Command } from './reducer/draft.ts';
import { NO_TOKENS } from './reducer/usage.ts';
import type { SessionHost } from './session-host.ts';

type Request = Extract<Command, { do: 'sample' }>;

export interface SessionSampling {
  /** A request waits for the next run. */
  readonly held: boolean;
  /** The request that is out. Cancelling it ends the wait for it; nothing is dispatched then. */
  readonly open: CancellationScope | undefined;
  /** Sends the request, or holds it; dispatches what comes of it. */
  start(request: Request): Promise<void>;
  /** Lets a held request go out in this run after all. */
  release(): void;
  /** Tells the worker of this request to stop. */
  abort(request: number): Promise<void>;
}

/** @param mayHold - true when the run should end here, and can. */
export function createSessionSampling(
  input: Pick<SessionInput, 'harness'>,
  host: SessionHost,
  outbox: Outbox,
  mayHold: () => boolean,
): SessionSampling {
  let held: Request | undefined;
  let open: CancellationScope | undefined;

  async function start(request: Request): Promise<void> {
    // Lets whatever led here count itself back in first.
    await Promise.resolve();
    if (mayHold()) held = request;
    else await send(request);
  }

  function release(): void {
    const request = held;
    held = undefined;
    if (request) host.background(() => send(request));
  }

  async function send({ request, startSeq, compact }: Request): Promise<void> {
    host.begin();
    const scope = new CancellationScope({ cancellable: true });
    open = scope;
    let taken = outbox.takeForSample();
    try {
      while (!taken) {
        await outbox.flush();
        taken = outbox.takeForSample();
      }
      const { carry, settle } = taken;
      const { agent } = host.state();
      const asked = { carry, request, startSeq, agentRev: agent.rev, harness: input.harness };
      let result: SampleResult;
      try {
        result = await scope.run(() =>
          sample(compact ? 'summarise the context' : `model request ${request}`)({
            ...asked,
            ...(compact ? { compact } : {}),
          }),
        );
        settle(true);
      } catch (error) {
        settle(false);
        if (isCancellation(error)) {
          if (outbox.pending > 0) host.background(() => outbox.flush());
          return;
        }
        result = { ok: false, class: 'harness', message: reason(error) };
      }
      host.dispatch({ in: 'sampled', request, result });
    } finally {
      host.end();
      if (open === scope) open = undefined;
    }
  }

  async function abort(request: number): Promise<void> {
    if (held?.request === request) {
      held = undefined;
      const result: SampleResult = { ok: true, events: [], calls: [], stop: 'interrupted', usage: NO_TOKENS };
      host.dispatch({ in: 'sampled', request, result });
      return;
    }
    host.begin();
    try {
      await outbox.abort(request);
    } finally {
      host.end();
    }
  }

  return {
    get held() {
      return held !== undefined;
    },
    get open() {
      return open;
    },
    start,
    release,
    abort,
  };
}
