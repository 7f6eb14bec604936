/**
 * Pods that are ready before anybody needs them. A claim is a compare-and-swap patch of a pod's labels: Kubernetes
 * decides who gets it, so no pod is given twice, whoever crashes and whenever. Filling up is another's job and may be
 * late: when none is ready, a sandbox is made from nothing.
 */
import { randomBytes } from 'node:crypto';
import { PatchStrategy, setHeaderOptions, type V1Pod } from '@kubernetes/client-node';
import type { SandboxSpec } from '../hands.ts';
import { DEFAULT_TARGET } from '../targets.ts';
import type { Attached } from './attached.ts';
import { orMissing, statusOf, wordsOf } from './cluster.ts';
import { LABELS, ownerHash, SESSION_ANNOTATION, sessionHash } from './names.ts';
import type { Nodes } from './nodes.ts';
import { DEFAULT_PATIENCE_MS, DEFAULT_START_MS, type KubernetesOptions } from './options.ts';
import { pooledPod, templateOf } from './pod.ts';
import { goneBecause, type Pods } from './pods.ts';

/** Pods that are made at once: each start costs a node a second of a processor. */
const AT_ONCE = 4;

interface Parts {
  options: KubernetesOptions;
  pods: Pods;
  nodes: Nodes;
  /** A connection of its own: nobody else closes it, or is cut off when it is closed. */
  attach(ref: { id: string; generation: number }): Attached;
  /** Makes such a connection the one that everybody uses. */
  adopt(sandbox: Attached): void;
}

export interface Pool {
  /** How many are ready for a target, by what the watch knows. */
  ready(target: string): number;
  /** Claims a ready pod for a sandbox; undefined when there is none, or it needs what those have not. */
  claim(spec: SandboxSpec): Promise<V1Pod | undefined>;
  /**
   * Makes `size` pods for a target be ready: makes what is missing, ends what is too many, unwell or outdated. Those
   * that could not be made ready have ended and are counted.
   */
  refill(target: string, size: number, signal: AbortSignal): Promise<{ failed: number }>;
}

export function openPool({ options, pods, nodes, attach, adopt }: Parts): Pool {
  const { cluster, namespace, key } = options;
  /** What no target is made of any more is outdated. */
  const templates = new Set(
    [DEFAULT_TARGET, ...(options.targets?.keys() ?? [])].map((target) => templateOf(options, { target })),
  );
  const merge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

  /** Changes labels of a pod as it was read; undefined when it has changed since, or is gone. */
  const swap = async (pod: V1Pod, labels: Record<string, string>, annotations: Record<string, string> = {}) => {
    const { name = '', resourceVersion } = pod.metadata ?? {};
    try {
      const body = { metadata: { resourceVersion, labels, annotations } };
      const changed = await cluster.core.patchNamespacedPod({ namespace, name, body }, merge);
      pods.note(changed);
      return changed;
    } catch (error) {
      if (statusOf(error) === 409 || statusOf(error) === 404) return undefined;
      throw error;
    }
  };

  const templateIn = (pod: V1Pod) => pod.metadata?.labels?.[LABELS.pool] ?? '';
  const isOurs = (pod: V1Pod, state: string) =>
    templates.has(templateIn(pod)) && pod.metadata?.labels?.[LABELS.state] === state && goneBecause(pod) === undefined;

  /** Unless somebody claims it at this moment. */
  const end = async (pod: V1Pod) => {
    const { name = '', resourceVersion } = pod.metadata ?? {};
    const preconditions = { resourceVersion };
    await orMissing(cluster.core.deleteNamespacedPod({ namespace, name, body: { preconditions } })).catch((error) => {
      if (statusOf(error) !== 409) throw error;
    });
  };

  /** Waits until a pod answers, and says so in its label. @returns whether it is well. */
  const makeReady = async (target: string, pod: V1Pod, signal: AbortSignal) => {
    const name = pod.metadata?.name ?? '';
    const sandbox = attach({ id: name, generation: 0 });
    try {
      await sandbox.connected(options.startMs ?? DEFAULT_START_MS);
      await sandbox.client.health();
      await nodes.ensure(pods.known(name)?.spec?.nodeName, target);
      signal.throwIfAborted();
      for (let known = pods.known(name); known && isOurs(known, 'starting'); known = await pods.read(name)) {
        if (await swap(known, { [LABELS.state]: 'ready' })) break;
      }
      return true;
    } catch (error) {
      options.log?.(`pool: ${name} did not become ready: ${(error as Error).message}`);
      if (signal.aborted) return false;
      // Another may have made it ready meanwhile, or we have and were not told; then it may be a session's by now.
      const left = await pods.read(name);
      if (left?.metadata?.labels?.[LABELS.state] === 'starting') await end(left);
      return false;
    } finally {
      sandbox.close();
    }
  };

  const readyOnes = (template: string) =>
    pods.all().filter((pod) => templateIn(pod) === template && isOurs(pod, 'ready'));

  return {
    ready(target) {
      pods.begin();
      return readyOnes(templateOf(options, { target })).length;
    },

    async claim(spec) {
      // Folders for skills and limits are part of a pod from its beginning.
      if (spec.skills || spec.limits) return undefined;
      pods.begin();
      const ready = readyOnes(templateOf(options, spec));
      // From a place of its own, so that claims at the same moment rarely meet.
      const from = randomBytes(4).readUInt32BE() % Math.max(1, ready.length);
      for (const pod of [...ready.slice(from), ...ready.slice(0, from)]) {
        const labels = {
          [LABELS.state]: 'claimed',
          [LABELS.session]: sessionHash(spec),
          [LABELS.generation]: String(spec.generation),
        };
        // The handshake passes while the API server thinks.
        const sandbox = attach({ id: pod.metadata?.name ?? '', generation: spec.generation });
        sandbox.connected(options.patienceMs ?? DEFAULT_PATIENCE_MS).catch(() => undefined);
        let claimed: V1Pod | undefined;
        try {
          claimed = await swap(pod, labels, { [SESSION_ANNOTATION]: spec.sessionId });
        } finally {
          if (claimed) adopt(sandbox);
          else sandbox.close();
        }
        if (claimed) return claimed;
      }
      return undefined;
    },

    async refill(target, size, signal) {
      const template = templateOf(options, { target });
      const labelSelector = `${LABELS.pool},${LABELS.state}!=claimed,${LABELS.owner}=${ownerHash(key)}`;
      const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector });
      const well = items.filter((pod) => isOurs(pod, 'ready') || isOurs(pod, 'starting'));
      const bad = items.filter((pod) => !well.includes(pod) && !pod.metadata?.deletionTimestamp);
      const good = well.filter((pod) => templateIn(pod) === template);
      // The ones that are not ready yet go first.
      const surplus = good.sort((a) => (isOurs(a, 'ready') ? -1 : 1)).slice(size);
      await Promise.all([...bad, ...surplus].map(end));
      for (const pod of good) pods.note(pod);
      const work = good
        .slice(0, size)
        .filter((pod) => isOurs(pod, 'starting'))
        .map((pod) => async () => pod);
      for (let missing = size - good.length; missing > 0; missing--) {
        work.push(async () => {
          const name = `lh-pool-${randomBytes(8).toString('hex')}`;
          const made = await cluster.core.createNamespacedPod({ namespace, body: pooledPod(options, name, target) });
          pods.note(made);
          return made;
        });
      }
      let failed = 0;
      const next = work[Symbol.iterator]();
      const worker = async () => {
        for (const make of next) {
          signal.throwIfAborted();
          if (!(await makeReady(target, await make(), signal))) failed++;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker)).catch((error: unknown) => {
        throw new Error(`The pool cannot be filled: ${wordsOf(error)}`, { cause: error });
      });
      return { failed };
    },
  };
}
