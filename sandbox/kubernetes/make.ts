/** How a session gets its pod: the one that is there, one of the warm pool, or a new one. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { restoreCheckpoint } from '../checkpoints.ts';
import type { SandboxRef, SandboxSpec } from '../hands.ts';
import { shellNote } from '../shell-note.ts';
import { DEFAULT_TARGET, targetOf } from '../targets.ts';
import { ToolServerError } from '../tool-client.ts';
import { statusOf, wordsOf } from './cluster.ts';
import type { Life } from './life.ts';
import { LABELS, ownerHash, podName, sessionHash } from './names.ts';
import { DEFAULT_START_MS } from './options.ts';
import { sandboxPod } from './pod.ts';
import { goneBecause } from './pods.ts';

/** Between looks at what another worker does to the same pod, milliseconds. */
const LOOK_MS = 200;

/** Makes the sandbox of this generation, or returns the one that is there. Safe to repeat, by several workers. */
export async function provision(life: Life, spec: SandboxSpec, signal: AbortSignal): Promise<SandboxRef> {
  const { sessionId, generation, copy } = spec;
  const refTo = (id: string): SandboxRef => ({
    ...{ sessionId, generation, id, provider: 'kubernetes' },
    ...(copy === undefined ? {} : { copy }),
  });
  signal.throwIfAborted();
  // A generation is made once: calls may have run in the one that is gone. Its ref then says `lost`.
  const { made, first } = await life.generations.take(spec);
  if (made) return refTo(made);
  const others = first ? [] : await podsOf(life, spec);
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
  const { options, nodes } = life;
  const id = pod.metadata?.name ?? '';
  life.pods.note(pod);
  const sandbox = life.attach({ id, generation: spec.generation });
  try {
    await untilAborted(sandbox.connected(options.startMs ?? DEFAULT_START_MS), signal);
    const pooled = pod.metadata?.labels?.[LABELS.pool] !== undefined;
    // The node of a ready pod was looked at before it became ready.
    if (!pooled)
      await untilAborted(nodes.ensure(life.pods.known(id)?.spec?.nodeName, spec.target ?? DEFAULT_TARGET), signal);
    if (pooled) {
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
  const { made } = await life.generations.take(spec);
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
