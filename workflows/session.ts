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
import {
  type Carry,
  POST,
  SANDBOX_QUERY,
  type SandboxPlace,
  type SessionAnswer,
  type SessionInput,
  type SessionRequest,
} from './contract.ts';
import { createDeliverables } from './deliverables.ts';
import { createDisplay } from './display.ts';
import { reason } from './failure-words.ts';
import { createOutbox } from './outbox.ts';
import type { Command } from './reducer/draft.ts';
import { rowSnapshot } from './reducer/row.ts';
import { busy, lastCallRuns, type StepInput, step } from './reducer/step.ts';
import { openRequest } from './reducer/turn.ts';
import { createSessionCalls } from './session-calls.ts';
import { createSessionGrading } from './session-grading.ts';
import type { SessionHost } from './session-host.ts';
import { createSessionSampling } from './session-sampling.ts';
import { createSessionSandbox } from './session-sandbox.ts';
import { readSignal } from './signal-events.ts';
import { initialState } from './state.ts';

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
  /** The last try to let the sandbox of an ended session go. */
  let released = false;

  const host: SessionHost = {
    state: () => state,
    dispatch,
    begin: () => {
      inFlight += 1;
    },
    end: () => {
      inFlight -= 1;
    },
    background,
  };
  const sandbox = createSessionSandbox(input, {
    ...host,
    idleTimer: () => obey({ do: 'idleTimer', ms: settings.sandboxIdleMs, turn: state.turns }),
  });
  const calls = createSessionCalls(input, host, sandbox);
  const collect = createDeliverables(input, host);
  const grading = createSessionGrading(input, host);
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
  const sampling = createSessionSampling(input, host, outbox, () => runIsLong(1) && inFlight === 0 && !sandbox.busy);

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
        background(() => sampling.start(command));
        return;
      case 'abortSample':
        background(() => sampling.abort(command.request));
        return;
      case 'execute':
        background(() => calls.run(command.call));
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
        sampling.release();
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
    const stale = stopping ? [...calls.open(), ...(sampling.open ? [sampling.open] : [])] : [];
    dispatch({ in: 'graceOver', turn });
    for (const scope of stale) scope.cancel();
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
        (quiet() && (state.ended !== null || sampling.held || (!busy(state) && (cancelling || runIsLong(2))))),
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
    if (!sampling.held && busy(state)) continue;
    await continueAsNew<typeof session>({
      ...input,
      initial: undefined,
      woken: undefined,
      agent: state.agent,
      carried: state,
    });
  }
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
