/**
 * The `kubernetes` provider: a sandbox is a pod under gVisor, in a namespace where nothing else runs. The hands speak to
 * its tool server over the pod network, never by `exec`. What must outlive a worker stands in the cluster: the pod, and
 * a Lease per session. So any hands worker with the same key finds what another one made.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isOverdue, outcomeOf } from '../call-outcome.ts';
import { storeCheckpoint } from '../checkpoints.ts';
import { type CallOutcome, type Hands, SandboxGoneError, type SandboxRef, type ToolCall } from '../hands.ts';
import { createTurns } from '../in-turn.ts';
import { placeInputs } from '../place-inputs.ts';
import { MAX_WAIT_MS } from '../server/protocol.ts';
import { DEFAULT_TARGET, targetOf } from '../targets.ts';
import { ConnectionLostError, ToolServerError } from '../tool-client.ts';
import { type Attached, PodGoneError } from './attached.ts';
import { probeCluster } from './canary.ts';
import { statusOf, wordsOf } from './cluster.ts';
import { beginLife, type Life, type Pace } from './life.ts';
import { provision } from './make.ts';
import { openNodes } from './nodes.ts';
import { DEFAULT_PATIENCE_MS, type KubernetesOptions } from './options.ts';
import { reapPods } from './reaper.ts';
import { type KeptStock, openStock } from './stock.ts';

/** Between looks at what changes without a word, milliseconds. */
const LOOK_MS = 200;
/** Sandboxes whose calls are remembered. An attempt that needs it is seconds old. */
const REMEMBERED = 5_000;
/** Of their limits, for the scheduler; and when they end by themselves, should their worker have died. */
const CANARY_SHARE = 0.01;
const CANARY_LIFE_SECONDS = 600;
/** While the API server is away nothing is known; a call whose connection is lost too waits for it this long, ms. */
const BLIND_MS = 120_000;

export interface KubernetesHands extends Hands {
  /** What is kept ready, of `warmPool`. */
  readonly stock: KeptStock;
  /** Ends pods older than `youngMs` that no session claims. @returns how many. */
  reap(youngMs: number, isLive: (sessionId: string) => Promise<boolean>): Promise<number>;
  /**
   * Makes `size` pods for a target (default: the ordinary one) be ready; returns when they are. Safe to repeat, also by
   * several at once.
   */
  refill(size: number, signal: AbortSignal, target?: string): Promise<void>;
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
  const inTurn = createTurns();
  const canaries = new Set<KubernetesHands>();
  const nodes = openNodes(async (node, target) => {
    const canary = createKubernetesHands(canaryOptions(options, node, target), pace);
    canaries.add(canary);
    try {
      await probeCluster({ ...options, hands: canary });
    } finally {
      canaries.delete(canary);
      await canary.close();
    }
  });
  const life = beginLife(options, { blindMs: pace.blindMs ?? BLIND_MS }, nodes);

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
      nodes.add(await probeCluster({ ...options, hands: this }));
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
    stock: openStock(options, life.pool),
    async refill(size, signal, target = DEFAULT_TARGET) {
      await life.pool.refill(target, size, signal);
    },
    reap: (youngMs, isLive) => reapPods(options, youngMs, isLive),
    async close() {
      life.close();
      await Promise.all([...canaries].map((canary) => canary.close()));
    },
  };
}

/** Sandboxes that fit beside whatever is on the node, and need none of what it has few of. */
function canaryOptions(options: KubernetesOptions, node: string, target: string): KubernetesOptions {
  const { nodeSelector, tolerations, image } = targetOf(options.targets, { target });
  return {
    ...options,
    ...{ node, requestShare: CANARY_SHARE, lifeSeconds: CANARY_LIFE_SECONDS, warmPool: new Map() },
    targets: new Map([[DEFAULT_TARGET, { nodeSelector, tolerations, image }]]),
  };
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
