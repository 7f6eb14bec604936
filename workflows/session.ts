/**
 * The session workflow: the thin Temporal shell around the reducer. It feeds what happens into `step`, writes what
 * comes out to the log, and does what it is told. No decision about the session is taken here.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  log,
  metricMeter,
  setHandler,
  sleep,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import { execute, sample, sandboxWork, stopCalls } from './activities.ts';
import {
  type Carry,
  POST,
  SANDBOX_GONE,
  SANDBOX_QUERY,
  type SampleResult,
  type SandboxPlace,
  type SessionAnswer,
  type SessionInput,
  type SessionRequest,
} from './contract.ts';
import { createDisplay } from './display.ts';
import { createOutbox } from './outbox.ts';
import { deadline } from './reducer/calls.ts';
import type { Command } from './reducer/draft.ts';
import { rowSnapshot } from './reducer/row.ts';
import { busy, type StepInput, step } from './reducer/step.ts';
import { readSignal } from './signal-events.ts';
import { type Call, initialState } from './state.ts';

/** A run younger than this is not continued: the server would delay it. ms. */
const MIN_RUN_MS = 1_000;

export async function session(input: SessionInput): Promise<void> {
  // Cancelling the workflow (an operator in the Temporal UI) must not tear activities out of a turn: see `onCancel`.
  const cancelled = CancellationScope.current().cancelRequested;
  await CancellationScope.nonCancellable(() => run(input, cancelled));
}

async function run(input: SessionInput, cancelRequested: Promise<never>): Promise<void> {
  const { settings } = input;
  const sandbox = sandboxWork(input.handsQueue);
  let state = input.carried ?? initialState(input, Date.now());
  const firstSeq = state.seq;
  /** Activities that are out, other than publishes. */
  let inFlight = 0;
  let updates = 0;
  let cancelling = false;
  let fatal: unknown;
  /** A model request that waits for the next run. */
  let held: Extract<Command, { do: 'sample' }> | undefined;
  let sampling: CancellationScope | undefined;
  const executing = new Map<string, CancellationScope>();
  let provisioning: Promise<void> | undefined;
  let releasing: Promise<void> | undefined;
  let saving: Promise<boolean> | undefined;
  /** The last try to let the sandbox of an ended session go. */
  let released = false;

  const display = createDisplay(state.status);
  const outbox = createOutbox(
    (entries): Carry => ({
      session: state.session,
      workspace: state.workspace,
      thread: state.thread,
      run: workflowInfo().runId,
      entries,
      row: rowSnapshot(state, entries.at(-1)?.seq ?? -1),
    }),
  );

  function dispatch(event: StepInput): SessionAnswer | undefined {
    const result = step(state, event, settings, Date.now());
    state = result.state;
    outbox.add(result.entries);
    display.show(result.entries, state.status);
    for (const command of result.commands) obey(command);
    // A model request takes the window with it; everything else is published at once.
    if (outbox.pending > 0 && !result.commands.some((command) => command.do === 'sample')) {
      background(outbox.flush);
    }
    return result.answer;
  }

  /** Runs beside everything else; what it throws ends the workflow in the open instead of being lost. */
  function background(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (!isCancellation(error)) fatal ??= error;
    });
  }

  function obey(command: Command): void {
    switch (command.do) {
      case 'sample':
        background(() => sampleOrHold(command));
        return;
      case 'abortSample':
        background(() => abortSample(command.request));
        return;
      case 'execute':
        background(() => runCall(command.call));
        return;
      case 'stopCalls':
        background(() => stop(command.ids));
        return;
      case 'sleep':
        timer(command.ms, { in: 'woke', request: command.request });
        return;
      case 'grace':
        background(() => giveGrace(command.ms, command.turn));
        return;
      case 'idleTimer':
        timer(command.ms, { in: 'idleElapsed', turn: command.turn });
        return;
      case 'provision':
        background(async () => {
          await ensureSandbox();
        });
        return;
      case 'checkpoint':
        background(async () => void (await checkpoint()));
        return;
      case 'release':
        releasing ??= release(command.save).finally(() => {
          releasing = undefined;
        });
        background(() => releasing ?? Promise.resolve());
        return;
    }
  }

  function timer(ms: number, then: StepInput): void {
    background(async () => {
      await sleep(ms);
      dispatch(then);
    });
  }

  /** Waits for what an interrupted turn still runs; then nobody waits for those activities any more. */
  async function giveGrace(ms: number, turn: number): Promise<void> {
    await sleep(ms);
    const stopping = state.turn?.phase === 'stopping' && state.turns === turn;
    const stale = stopping ? [...executing.values(), ...(sampling ? [sampling] : [])] : [];
    dispatch({ in: 'graceOver', turn });
    for (const scope of stale) scope.cancel();
  }

  /** Just before a model request, with nothing in flight, is where a long run is continued as new. */
  async function sampleOrHold(command: Extract<Command, { do: 'sample' }>): Promise<void> {
    // Lets whatever led here count itself out of `inFlight` first.
    await Promise.resolve();
    if (runIsLong(1) && inFlight === 0 && !provisioning && !releasing) held = command;
    else await startSample(command);
  }

  async function startSample(command: Extract<Command, { do: 'sample' }>): Promise<void> {
    inFlight += 1;
    const scope = new CancellationScope({ cancellable: true });
    sampling = scope;
    let taken = outbox.takeForSample();
    try {
      while (!taken) {
        await outbox.flush();
        taken = outbox.takeForSample();
      }
      const { carry, settle } = taken;
      const request = {
        carry,
        request: command.request,
        startSeq: command.startSeq,
        agentRev: state.agent.rev,
        harness: input.harness,
        ...(command.compact ? { compact: true as const } : {}),
      };
      let result: SampleResult;
      try {
        result = await scope.run(() =>
          sample(command.compact ? 'summarise the context' : `model request ${command.request}`)(request),
        );
        settle(true);
      } catch (error) {
        settle(false);
        if (isCancellation(error)) {
          if (outbox.pending > 0) background(outbox.flush);
          return;
        }
        result = { ok: false, class: 'harness', message: reason(error) };
      }
      dispatch({ in: 'sampled', request: command.request, result });
    } finally {
      inFlight -= 1;
      if (sampling === scope) sampling = undefined;
    }
  }

  async function abortSample(request: number): Promise<void> {
    if (held?.request === request) {
      held = undefined;
      dispatch({ in: 'sampled', request, result: interruptedResult() });
      return;
    }
    inFlight += 1;
    try {
      await outbox.abort(request);
    } finally {
      inFlight -= 1;
    }
  }

  async function runCall(call: Call): Promise<void> {
    inFlight += 1;
    const scope = new CancellationScope({ cancellable: true });
    executing.set(call.id, scope);
    let started = false;
    try {
      const ref = await ensureSandbox();
      if (state.turn?.calls.find((one) => one.id === call.id)?.state !== 'running') return;
      started = true;
      const { deadlineMs } = deadline(call, settings);
      const result = await scope.run(() =>
        execute(
          input.handsQueue,
          deadlineMs,
          call.summary,
        )({
          ref,
          call: { id: call.id, thread: state.thread, name: call.name, input: call.input, deadlineMs },
          ...(call.inputBlobs ? { inputBlobs: call.inputBlobs } : {}),
        }),
      );
      dispatch({ in: 'executed', call: call.id, result, generation: ref.generation });
    } catch (error) {
      if (isCancellation(error)) return;
      const begun = started && !neverTaken(error);
      // Nobody waits for it any more; it must not go on behind the model's back.
      if (begun) background(() => stop([call.id]));
      dispatch({ in: 'executeFailed', call: call.id, message: reason(error), started: begun });
    } finally {
      executing.delete(call.id);
      inFlight -= 1;
    }
  }

  /** The sandbox of this session, made by the first call that needs one; calls that come together share the making. */
  async function ensureSandbox() {
    if (releasing) await releasing;
    if (!state.sandbox.ref) {
      provisioning ??= provision().finally(() => {
        provisioning = undefined;
      });
      await provisioning;
    }
    if (!state.sandbox.ref) throw ApplicationFailure.nonRetryable('The sandbox was lost while it was being made.');
    return state.sandbox.ref;
  }

  async function provision(): Promise<void> {
    const { generation, checkpoint: restore } = state.sandbox;
    const made = await sandbox.provision({
      sessionId: state.session,
      generation: generation + 1,
      ...(restore ? { restore } : {}),
    });
    dispatch({ in: 'provisioned', ...made });
  }

  async function stop(ids: string[]): Promise<void> {
    const { ref } = state.sandbox;
    if (!ref) {
      for (const id of ids)
        dispatch({ in: 'executeFailed', call: id, message: 'interrupted by the user', started: false });
      return;
    }
    await stopCalls(input.handsQueue)({ ref, thread: state.thread, ids }).catch((error: unknown) => {
      // The grace period ends the turn all the same, and says that the command may still be running.
      log.warn('stopCalls failed', { reason: reason(error) });
    });
  }

  /** One at a time, so that an older one cannot take a newer one's place. */
  async function checkpoint(): Promise<boolean> {
    while (saving) await saving;
    saving = saveFiles();
    try {
      return await saving;
    } finally {
      saving = undefined;
    }
  }

  /** @returns false when the files could not be saved and the sandbox must be kept. */
  async function saveFiles(): Promise<boolean> {
    const { ref, checkpoint: last, changes } = state.sandbox;
    if (!ref) return false;
    inFlight += 1;
    try {
      const taken = await sandbox.checkpoint({ ref, ...(last ? { since: last.sha256 } : {}) });
      dispatch({ in: 'checkpointed', generation: ref.generation, changes, checkpoint: taken });
      return true;
    } catch (error) {
      if (isGone(error)) {
        if (state.sandbox.ref?.generation === ref.generation) dispatch({ in: 'released' });
        return true;
      }
      log.warn('checkpoint failed; the sandbox is kept', { reason: reason(error) });
      return false;
    } finally {
      inFlight -= 1;
    }
  }

  async function release(save: boolean): Promise<void> {
    if (save && !(await checkpoint())) return keepForNow();
    const { ref } = state.sandbox;
    if (!ref) return;
    inFlight += 1;
    try {
      await sandbox.release({ ref });
      dispatch({ in: 'released' });
    } catch (error) {
      log.warn('release failed; it is tried again later', { reason: reason(error) });
      keepForNow();
    } finally {
      inFlight -= 1;
    }
  }

  function keepForNow(): void {
    if (!state.ended) obey({ do: 'idleTimer', ms: settings.sandboxIdleMs, turn: state.turns });
  }

  function runIsLong(factor: number): boolean {
    const info = workflowInfo();
    if (Date.now() - info.runStartTime.getTime() < MIN_RUN_MS) return false;
    return (
      info.historyLength > settings.maxRunEvents * factor ||
      info.historySize > settings.maxRunBytes * factor ||
      updates > settings.maxRunUpdates * factor ||
      info.targetWorkerDeploymentVersionChanged === true
    );
  }

  function quiet(): boolean {
    return inFlight === 0 && !provisioning && !releasing && !outbox.busy;
  }

  // Before the handlers: setting one runs it for all that has already arrived, which must come after this.
  if (input.carried) resume();
  else if (input.initial?.length) {
    dispatch({ in: 'request', request: { id: 'initial', op: { op: 'events', events: input.initial } } });
  }

  setHandler(defineUpdate<SessionAnswer[], [SessionRequest[]]>(POST), (requests) => {
    updates += 1;
    return requests.map((request) => dispatch({ in: 'request', request }) ?? { ok: true, events: [] });
  });
  setHandler(defineQuery<SandboxPlace>(SANDBOX_QUERY), () => ({
    handsQueue: input.handsQueue,
    ref: state.sandbox.ref,
  }));
  const dropped = metricMeter.createCounter(
    'longhand_signals_dropped',
    'signal',
    'Signals that could not be understood',
  );
  setHandler(defineSignal<[unknown]>(POST), (arg) => {
    updates += 1;
    const read = readSignal(arg);
    const answer =
      'dropped' in read
        ? { ok: false as const, message: read.dropped }
        : dispatch({
            in: 'request',
            request: { id: read.id ?? `signal/${workflowInfo().runId}/${updates}`, op: read.op },
          });
    if (answer?.ok === false) {
      dropped.add(1);
      log.warn('A signal was dropped', { reason: answer.message });
    }
  });
  cancelRequested.catch(() => {
    cancelling = true;
    dispatch({
      in: 'request',
      request: { id: 'cancelled', op: { op: 'events', events: [{ event: { type: 'user.interrupt' } }] } },
    });
  });

  /** Takes up what the last run was about to do. */
  function resume(): void {
    const { turn } = state;
    if (turn?.phase === 'sampling' && turn.span) {
      obey({ do: 'sample', request: state.request, startSeq: turn.span.seq, compact: turn.compacting });
    } else if (!busy(state) && state.sandbox.ref) {
      obey({ do: 'idleTimer', ms: settings.sandboxIdleMs, turn: state.turns });
    }
  }

  for (;;) {
    await condition(
      () =>
        fatal !== undefined ||
        (quiet() && (state.ended !== null || held !== undefined || (!busy(state) && (cancelling || runIsLong(2))))),
    );
    if (fatal !== undefined) throw asFailure(fatal);
    if (cancelling && !state.ended && !busy(state)) {
      dispatch({ in: 'request', request: { id: 'cancelled/archive', op: { op: 'archive' } } });
      continue;
    }
    if (state.ended && state.sandbox.ref && !released) {
      released = true;
      await release(false);
      continue;
    }
    if (outbox.pending > 0) {
      await outbox.flush();
      continue;
    }
    const to = state.seq - 1;
    if (to >= firstSeq) await outbox.seal(firstSeq, to);
    // Posts may have come while the segment was being stored: they belong to this run, so it is sealed again.
    if (outbox.pending > 0 || state.seq - 1 !== to || !quiet() || !allHandlersFinished()) continue;
    if (state.ended) return;
    if (held === undefined && busy(state)) continue;
    await continueAsNew<typeof session>({ ...input, initial: undefined, agent: state.agent, carried: state });
  }
}

function interruptedResult(): SampleResult {
  return {
    ok: true,
    events: [],
    calls: [],
    stop: 'interrupted',
    usage: { input_tokens: 0, output_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
  };
}

/** True when the hands say that the sandbox is no more. */
function isGone(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof ApplicationFailure && cause.type === SANDBOX_GONE;
}

/** True when no worker ever took the task: the call had no effect. */
function neverTaken(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  return cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START';
}

function reason(error: unknown): string {
  if (neverTaken(error)) return 'no hands worker for this target took the call in time; is one running?';
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}

function asFailure(error: unknown): ApplicationFailure {
  return error instanceof ApplicationFailure
    ? error
    : ApplicationFailure.create({
        message: reason(error),
        nonRetryable: true,
        cause: error instanceof Error ? error : undefined,
      });
}
