/**
 * The session workflow: the thin Temporal shell around the reducer. It feeds what happens into `step`, writes what
 * comes out to the log, and does what it is told. No decision about the session is taken here.
 */
import {
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
  workflowInfo,
} from '@temporalio/workflow';
import type { SandboxRef } from '../sandbox/hands.ts';
import { execute, sample } from './activities.ts';
import {
  type Carry,
  POST,
  SANDBOX_QUERY,
  type SampleResult,
  type SandboxPlace,
  type SessionAnswer,
  type SessionInput,
  type SessionRequest,
} from './contract.ts';
import { createDeliverables } from './deliverables.ts';
import { createDisplay } from './display.ts';
import { MACHINE_GONE, reason, waitedInVain } from './failure-words.ts';
import { createOutbox } from './outbox.ts';
import { deadline } from './reducer/calls.ts';
import type { Command } from './reducer/draft.ts';
import { rowSnapshot } from './reducer/row.ts';
import { busy, lastCallRuns, type StepInput, step } from './reducer/step.ts';
import { openRequest } from './reducer/turn.ts';
import { createSessionGrading } from './session-grading.ts';
import { createSessionSandbox } from './session-sandbox.ts';
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
  /** The last try to let the sandbox of an ended session go. */
  let released = false;

  const sandbox = createSessionSandbox(input, {
    state: () => state,
    dispatch,
    idleTimer: () => obey({ do: 'idleTimer', ms: settings.sandboxIdleMs, turn: state.turns }),
    begin: () => {
      inFlight += 1;
    },
    end: () => {
      inFlight -= 1;
    },
  });
  const collect = createDeliverables(input, {
    state: () => state,
    dispatch,
    begin: () => {
      inFlight += 1;
    },
    end: () => {
      inFlight -= 1;
    },
  });
  const grading = createSessionGrading(input, {
    state: () => state,
    dispatch,
    begin: () => {
      inFlight += 1;
    },
    end: () => {
      inFlight -= 1;
    },
  });
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
      background(() => outbox.flush(lastCallRuns(state)));
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
        background(() => sandbox.stop(command.ids));
        return;
      case 'grade':
        background(() => grading.run(command.evaluation));
        return;
      case 'stopGrading':
        grading.stop();
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
      case 'collect':
        background(() => collect(command));
        return;
      case 'provision':
        // For a person who looks: whoever needs it for work asks again, and is told what is wrong.
        background(async () => {
          await sandbox
            .ensure()
            .catch((error: unknown) => log.warn('no sandbox could be made', { reason: reason(error) }));
        });
        // A model request does not wait for a sandbox that somebody else has asked for: it goes out in this run.
        releaseHeld();
        return;
      case 'checkpoint':
        background(async () => void (await sandbox.checkpoint()));
        return;
      case 'release':
        background(() => sandbox.letGo(command.save));
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
    if (runIsLong(1) && inFlight === 0 && !sandbox.busy) held = command;
    else await startSample(command);
  }

  function releaseHeld(): void {
    const command = held;
    held = undefined;
    if (command) background(() => startSample(command));
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
        ...(command.compact ? { compact: command.compact } : {}),
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
          if (outbox.pending > 0) background(() => outbox.flush());
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
    /** Set once the call may have been sent. */
    let ref: SandboxRef | undefined;
    try {
      const sandboxRef = await sandbox.ensure();
      if (state.turn?.calls.find((one) => one.id === call.id)?.state !== 'running') return;
      ref = sandboxRef;
      const { deadlineMs } = deadline(call, settings);
      const result = await scope.run(() =>
        execute(
          sandbox.route(sandboxRef),
          deadlineMs,
          call.summary,
        )({
          ref: sandboxRef,
          call: { id: call.id, thread: state.thread, name: call.name, input: call.input, deadlineMs },
          ...(call.inputBlobs ? { inputBlobs: call.inputBlobs } : {}),
        }),
      );
      dispatch({ in: 'executed', call: call.id, result, generation: sandboxRef.generation });
    } catch (error) {
      if (isCancellation(error)) return;
      const waited = waitedInVain(error);
      if (ref?.queue !== undefined && waited) {
        // Its machine is gone, and the sandbox with it: the next call gets a new one elsewhere.
        const result = { kind: 'lost', started: waited.taken ? 'maybe' : 'no', message: MACHINE_GONE } as const;
        dispatch({ in: 'executed', call: call.id, result, generation: ref.generation });
        return;
      }
      const begun = ref !== undefined && !(waited && !waited.taken);
      // Nobody waits for it any more; it must not go on behind the model's back.
      if (begun) background(() => sandbox.stop([call.id]));
      dispatch({ in: 'executeFailed', call: call.id, message: reason(error), started: begun });
    } finally {
      executing.delete(call.id);
      inFlight -= 1;
    }
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
    return inFlight === 0 && !sandbox.busy && !outbox.busy;
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
    handsQueue: state.sandbox.ref?.queue ?? input.handsQueue,
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
    if (input.woken) {
      dispatch({ in: 'woken' });
      for (const request of input.woken.again) dispatch({ in: 'request', request });
      return;
    }
    for (const command of openRequest(state)) obey(command);
    if (!busy(state) && state.sandbox.ref) {
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
      await sandbox.letGo(false);
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
    await continueAsNew<typeof session>({
      ...input,
      initial: undefined,
      woken: undefined,
      agent: state.agent,
      carried: state,
    });
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

function asFailure(error: unknown): ApplicationFailure {
  return error instanceof ApplicationFailure
    ? error
    : ApplicationFailure.create({
        message: reason(error),
        nonRetryable: true,
        cause: error instanceof Error ? error : undefined,
      });
}
