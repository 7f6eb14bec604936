/**
 * The `kubernetes` provider: a sandbox is a pod under gVisor, in a namespace where nothing else runs. The hands speak to
 * its tool server over the pod network, never by `exec`. What must outlive a worker stands in the cluster: the pod, and
 * a Lease per session. So any hands worker with the same key finds what another one made.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { isOverdue, outcomeOf } from '../call-outcome.ts';
import { restoreCheckpoint, storeCheckpoint } from '../checkpoints.ts';
import {
  type CallOutcome,
  type Hands,
  SandboxGoneError,
  type SandboxRef,
  type SandboxSpec,
  type ToolCall,
} from '../hands.ts';
import { placeInputs } from '../place-inputs.ts';
import { MAX_WAIT_MS } from '../server/protocol.ts';
import { shellNote } from '../shell-note.ts';
import { targetOf } from '../targets.ts';
import { ConnectionLostError, ToolServerError } from '../tool-client.ts';
import { type Attached, attach, PodGoneError } from './attached.ts';
import { probeCluster } from './canary.ts';
import { orMissing, statusOf, wordsOf } from './cluster.ts';
import { type Generations, openGenerations } from './generations.ts';
import { LABELS, ownerHash, podName, sessionHash } from './names.ts';
import { DEFAULT_PATIENCE_MS, DEFAULT_START_MS, type KubernetesOptions } from './options.ts';
import { sandboxPod, templateOf } from './pod.ts';
import { goneBecause, type Pods, watchPods } from './pods.ts';
import { openPool, type Pool } from './pool.ts';
import { reapPods } from './reaper.ts';

/** Between looks at what another worker does to the same pod, milliseconds. */
const LOOK_MS = 200;
/** Sandboxes whose calls are remembered. An attempt that needs it is seconds old. */
const REMEMBERED = 5_000;
/** While the API server is away nothing is known; a call whose connection is lost too waits for it this long, ms. */
const BLIND_MS = 120_000;

/** Pauses of these hands, for tests; milliseconds. */
interface Pace {
  blindMs: number;
}

interface Life extends Pick<KubernetesOptions, 'namespace' | 'checkpoints'> {
  options: KubernetesOptions;
  pace: Pace;
  pods: Pods;
  generations: Generations;
  pool: Pool;
  /** The live sandbox behind a ref; undefined when it is gone. */
  find(ref: Pick<SandboxRef, 'id' | 'generation'>): Promise<Attached | undefined>;
  attach(ref: Pick<SandboxRef, 'id' | 'generation'>): Attached;
  /** Ends a pod. Safe to repeat. */
  destroy(id: string, why: string): Promise<void>;
  /** Calls that this process has sent. */
  sent: Map<string, Set<string>>;
}

export interface KubernetesHands extends Hands {
  /** Names what the pods of the warm pool are made of. */
  readonly template: string;
  /** As `refill`; then waits `ms`, or until one is claimed. */
  keepStock(size: number, ms: number, signal: AbortSignal): Promise<void>;
  /** Ends pods older than `youngMs` that no session claims. @returns how many. */
  reap(youngMs: number, isLive: (sessionId: string) => Promise<boolean>): Promise<number>;
  /** Makes the warm pool be `size` ready pods; returns when it is. Safe to repeat, also by several at once. */
  refill(size: number, signal: AbortSignal): Promise<void>;
}

/**
 * Nothing is touched before the first use.
 * @example
 * ```ts
 * const hands = createKubernetesHands({ cluster: connectCluster(), namespace, image, runtimeClass, key, checkpoints });
 * await hands.probe();
 * const ref = await hands.provision({ sessionId: 'sesn_1', generation: 1 }, signal);
 * ```
 */
export function createKubernetesHands(options: KubernetesOptions, pace: Partial<Pace> = {}): KubernetesHands {
  const turns = new Map<string, Promise<unknown>>();
  const life = beginLife(options, { blindMs: pace.blindMs ?? BLIND_MS });

  /** What makes or ends a session's sandbox happens one after the other. */
  const inTurn = <T>(sessionId: string, act: () => Promise<T>): Promise<T> => {
    const result = (turns.get(sessionId) ?? Promise.resolve()).then(act, act);
    const settled: Promise<unknown> = result
      .catch(() => undefined)
      .finally(() => {
        if (turns.get(sessionId) === settled) turns.delete(sessionId);
      });
    turns.set(sessionId, settled);
    return result;
  };

  const present = async (ref: SandboxRef): Promise<Attached> => {
    const sandbox = await life.find(ref);
    if (sandbox) return sandbox;
    throw new SandboxGoneError(`Sandbox ${ref.id} of session ${ref.sessionId} is gone; provision the next generation.`);
  };
  /** What needs the sandbox, and is told when it goes meanwhile. */
  const within = async <T>(ref: SandboxRef, act: (sandbox: Attached) => Promise<T>): Promise<T> => {
    const sandbox = await present(ref);
    try {
      return await act(sandbox);
    } catch (error) {
      if (error instanceof ConnectionLostError) await present(ref);
      throw error;
    }
  };

  return {
    provider: 'kubernetes',
    async probe() {
      await probeCluster({ ...options, hands: this });
    },
    provision: (spec, signal) => inTurn(spec.sessionId, () => provision(life, spec, signal)),
    execute: (ref, call, signal) => execute(life, ref, call, signal),
    async stopCalls(ref, thread, ids) {
      const sandbox = await life.find(ref);
      await sandbox?.client.stop({ thread, ids });
    },
    checkpoint: (ref, since) => within(ref, ({ client }) => storeCheckpoint(client, options.checkpoints, ref, since)),
    listOutputs: (ref, limits) => within(ref, ({ client }) => client.outputs(limits)),
    placeInputs: (ref, files, open) => within(ref, ({ client }) => placeInputs(client, files, open)),
    release: (ref) => inTurn(ref.sessionId, () => life.destroy(ref.id, 'it was released')),
    listFiles: (ref, path) => within(ref, ({ client }) => client.listFiles(path)),
    readFile: (ref, path) => within(ref, ({ client }) => client.readFile(path)),
    template: templateOf(options),
    refill: (size, signal) => life.pool.refill(size, signal),
    async keepStock(size, ms, signal) {
      await life.pool.refill(size, signal);
      const until = Date.now() + ms;
      while (!signal.aborted && Date.now() < until && life.pool.ready() >= size) await sleep(LOOK_MS);
    },
    reap: (youngMs, isLive) => reapPods(options, youngMs, isLive),
    close: async () => life.close(),
  };
}

function beginLife(options: KubernetesOptions, pace: Pace): Life & { close(): void } {
  const { cluster, namespace, key, patienceMs = DEFAULT_PATIENCE_MS, log = () => undefined } = options;
  const owner = ownerHash(key);
  const pods = watchPods(cluster, namespace, owner);
  const attached = new Map<string, Attached>();
  /** Of the pool. Who claims such a pod meanwhile speaks as another generation. */
  const looking = new Set<Attached>();
  let closed = false;

  const attachNew = ({ id, generation }: Pick<SandboxRef, 'id' | 'generation'>): Attached => {
    if (closed) throw new Error('These hands are closed.');
    return attach({ name: id, generation, key, pods, patienceMs });
  };
  const attachTo = (ref: Pick<SandboxRef, 'id' | 'generation'>): Attached => {
    const there = attached.get(ref.id);
    if (there && there.gone() === undefined) return there;
    const made = attachNew(ref);
    attached.set(ref.id, made);
    return made;
  };
  const attachToLook = (ref: Pick<SandboxRef, 'id' | 'generation'>): Attached => {
    const made = attachNew(ref);
    const close = () => {
      looking.delete(made);
      made.close();
    };
    looking.add(made);
    return { ...made, close };
  };
  const forget = (id: string) => {
    attached.get(id)?.close();
    attached.delete(id);
  };

  return {
    ...{ options, pace, namespace, checkpoints: options.checkpoints, pods, sent: new Map() },
    pool: openPool({ options, pods, attach: attachToLook }),
    generations: openGenerations(cluster, namespace, owner),
    attach: attachTo,
    async find(ref) {
      const there = attached.get(ref.id);
      if (there) {
        if (there.gone() === undefined) return there;
        forget(ref.id);
      }
      const pod = await pods.read(ref.id);
      const why = pod && goneBecause(pod);
      if (pod && !why) return attachTo(ref);
      // A pod that ended by itself would stay in the list for ever.
      if (pod && why && !pod.metadata?.deletionTimestamp) await this.destroy(ref.id, why);
      return undefined;
    },
    async destroy(id, why) {
      log(`sandbox ${id} is ended: ${why}`);
      forget(id);
      const pod = await orMissing(cluster.core.deleteNamespacedPod({ namespace, name: id }));
      if (pod?.metadata?.deletionTimestamp) pods.note(pod);
    },
    close() {
      closed = true;
      for (const id of [...attached.keys()]) forget(id);
      for (const one of [...looking]) one.close();
      pods.close();
    },
  };
}

async function provision(life: Life, spec: SandboxSpec, signal: AbortSignal): Promise<SandboxRef> {
  const { sessionId, generation, copy } = spec;
  const refTo = (id: string): SandboxRef => ({
    ...{ sessionId, generation, id, provider: 'kubernetes' },
    ...(copy === undefined ? {} : { copy }),
  });
  signal.throwIfAborted();
  // A generation is made once: calls may have run in the one that is gone. Its ref then says `lost`.
  const [made, others] = await Promise.all([life.generations.take(spec), podsOf(life, spec)]);
  if (made) return refTo(made);
  // Before anything is ended or made.
  targetOf(life.options.targets, spec);
  const generationOf = ({ metadata }: V1Pod) => Number(metadata?.labels?.[LABELS.generation]);
  await Promise.all(
    others
      .filter((pod) => generationOf(pod) < generation)
      .map(({ metadata }) => life.destroy(metadata?.name ?? '', `generation ${generation} replaces it`)),
  );
  const left = others.find((pod) => generationOf(pod) === generation && goneBecause(pod) === undefined);
  const pod = left ?? (await life.pool.claim(spec)) ?? (await create(life, spec, signal));
  const id = pod.metadata?.name ?? '';
  await makeReady(life, spec, pod, signal);
  signal.throwIfAborted();
  await life.generations.markMade(spec, id);
  return refTo(id);
}

/** What there is of a session, of any generation, claimed or made for it. */
async function podsOf({ options }: Life, spec: SandboxSpec): Promise<V1Pod[]> {
  const labelSelector = `${LABELS.session}=${sessionHash(spec)},${LABELS.owner}=${ownerHash(options.key)}`;
  return (await options.cluster.core.listNamespacedPod({ namespace: options.namespace, labelSelector })).items;
}

/** Brings a pod, new, claimed or left by an earlier attempt, to where its files are there and it takes calls. */
async function makeReady(life: Life, spec: SandboxSpec, pod: V1Pod, signal: AbortSignal): Promise<void> {
  const { options } = life;
  const id = pod.metadata?.name ?? '';
  life.pods.note(pod);
  const sandbox = life.attach({ id, generation: spec.generation });
  try {
    await untilAborted(sandbox.connected(options.startMs ?? DEFAULT_START_MS), signal);
    if (pod.metadata?.labels?.[LABELS.pool]) {
      const { sessionId, generation } = spec;
      const awaitRestore = spec.restore !== undefined;
      await sandbox.client.claim({ sessionId, generation, shellNote: shellNote(spec), awaitRestore });
    }
    for (let ready = spec.restore === undefined; !ready; ) {
      ({ ready } = await sandbox.client.health());
      if (ready || !spec.restore) break;
      signal.throwIfAborted();
      await restoreCheckpoint(sandbox.client, options.checkpoints, spec.sessionId, spec.restore).catch(
        async (error: unknown) => {
          // Another worker restores it at this moment.
          if (!(error instanceof ToolServerError && error.status === 409)) throw error;
          await sleep(LOOK_MS);
        },
      );
    }
    options.log?.(`sandbox ${id} of ${spec.sessionId} is ready`);
  } catch (error) {
    // A worker that goes away leaves it to the next one; what cannot work is not left behind.
    if (!signal.aborted) await endUnmade(life, spec, id, error as Error).catch(() => undefined);
    throw error;
  }
}

/** Unless another worker has handed it out meanwhile. When that cannot be known it stays, for the next attempt. */
async function endUnmade(life: Life, spec: SandboxSpec, id: string, why: Error): Promise<void> {
  const made = await life.generations.take(spec);
  if (made !== id) await life.destroy(id, `it could not be made: ${why.message}`);
}

async function create({ options, pods, find }: Life, spec: SandboxSpec, signal: AbortSignal): Promise<V1Pod> {
  const { cluster, namespace } = options;
  const id = podName(spec);
  const body = sandboxPod(options, spec, shellNote(spec));
  for (;;) {
    signal.throwIfAborted();
    try {
      return await cluster.core.createNamespacedPod({ namespace, body });
    } catch (error) {
      if (statusOf(error) !== 409)
        throw new Error(`Kubernetes refuses the sandbox ${id}: ${wordsOf(error)}`, { cause: error });
      // It is there already, or still on its way out.
      await find({ id, generation: spec.generation });
      const there = pods.known(id);
      if (there && goneBecause(there) === undefined) return there;
      await sleep(LOOK_MS);
    }
  }
}

async function execute(life: Life, ref: SandboxRef, call: ToolCall, signal: AbortSignal): Promise<CallOutcome> {
  let made = false;
  let blindSince: number | undefined;
  for (;;) {
    signal.throwIfAborted();
    try {
      const sandbox = await life.find(ref);
      if (!sandbox) return lost(life, ref, call);
      try {
        await sandbox.connected(life.options.patienceMs ?? DEFAULT_PATIENCE_MS);
        blindSince = undefined;
        signal.throwIfAborted();
        markSent(life, ref, call);
        let state = made
          ? await sandbox.client.wait(call.id, MAX_WAIT_MS, signal)
          : await sandbox.client.call(call, MAX_WAIT_MS, signal);
        made = true;
        while (state.state === 'accepted' || state.state === 'started') {
          if (isOverdue(state, call)) {
            await life.destroy(ref.id, `call ${call.id} did not end at its deadline`);
            return lost(life, ref, call);
          }
          state = await sandbox.client.wait(call.id, MAX_WAIT_MS, signal);
        }
        return outcomeOf(state);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ToolServerError && error.status === 404) made = false;
        else if (!(error instanceof ConnectionLostError)) throw error;
        else if (!(error instanceof PodGoneError)) await settle(life, sandbox);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!isBlindness(error)) throw error;
      // The API server is away, and the sandbox does not answer either.
      blindSince ??= Date.now();
      const blindMs = Date.now() - blindSince;
      if (blindMs > life.pace.blindMs) {
        const unknown = `Nothing was heard of the sandbox ${ref.id} for ${Math.round(blindMs / 1000)} s, and the API server`;
        throw new Error(`${unknown} cannot be asked about it: ${wordsOf(error)}`, { cause: error });
      }
      await sleep(LOOK_MS);
    }
  }
}

/** After a lost connection: it answers again, or has ended (the next look says so), or is broken and is ended. */
async function settle(life: Life, sandbox: Attached): Promise<void> {
  try {
    await sandbox.connected(life.options.patienceMs ?? DEFAULT_PATIENCE_MS);
  } catch (error) {
    if (sandbox.gone() !== undefined) return;
    await life.pods.read(sandbox.name);
    await life.destroy(sandbox.name, (error as Error).message);
  }
}

/** Whether it is an error of the way to the API server, or of the server itself, which a later look may not meet. */
function isBlindness(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) return status >= 500 || status === 429;
  const { name, cause } = error as Error;
  return name === 'TimeoutError' || name === 'AbortError' || (error instanceof TypeError && cause !== undefined);
}

function markSent({ sent }: Life, { id }: SandboxRef, call: ToolCall): void {
  const calls = sent.get(id) ?? new Set();
  sent.set(id, calls.add(call.id));
  const [oldest] = sent.keys();
  if (sent.size > REMEMBERED && oldest !== undefined) sent.delete(oldest);
}

/** What to say of a call whose sandbox is gone. */
function lost({ sent }: Life, ref: SandboxRef, call: ToolCall): CallOutcome {
  const never = call.attempt === 1 && !sent.get(ref.id)?.has(call.id);
  return never
    ? { kind: 'lost', started: 'no', message: 'The sandbox had ended before this call was started.' }
    : { kind: 'lost', started: 'maybe', message: 'The sandbox ended while this call may have been running.' };
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (abort) signal.removeEventListener('abort', abort);
  }
}
