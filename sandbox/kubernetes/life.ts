/** What the parts of the provider share while its hands are open: pods, connections, and what this process has sent. */
import type { SandboxRef } from '../hands.ts';
import { type Attached, attach } from './attached.ts';
import { orMissing } from './cluster.ts';
import { type Generations, openGenerations } from './generations.ts';
import { ownerHash } from './names.ts';
import type { Nodes } from './nodes.ts';
import { DEFAULT_PATIENCE_MS, type KubernetesOptions } from './options.ts';
import { goneBecause, type Pods, watchPods } from './pods.ts';
import { openPool, type Pool } from './pool.ts';

/** Pauses of these hands, for tests; milliseconds. */
export interface Pace {
  blindMs: number;
}

export interface Life extends Pick<KubernetesOptions, 'namespace' | 'checkpoints'> {
  options: KubernetesOptions;
  pace: Pace;
  pods: Pods;
  generations: Generations;
  pool: Pool;
  nodes: Nodes;
  /** The live sandbox behind a ref; undefined when it is gone. */
  find(ref: Pick<SandboxRef, 'id' | 'generation'>): Promise<Attached | undefined>;
  attach(ref: Pick<SandboxRef, 'id' | 'generation'>): Attached;
  /** Ends a pod. Safe to repeat. */
  destroy(id: string, why: string): Promise<void>;
  /** Calls that this process has sent. */
  sent: Map<string, Set<string>>;
}

export function beginLife(options: KubernetesOptions, pace: Pace, nodes: Nodes): Life & { close(): void } {
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
      looking.delete(own);
      made.close();
    };
    const own: Attached = { ...made, close };
    looking.add(own);
    return own;
  };
  const forget = (id: string) => {
    attached.get(id)?.close();
    attached.delete(id);
  };

  const adopt = (sandbox: Attached) => {
    looking.delete(sandbox);
    const there = attached.get(sandbox.name);
    if (there && there.gone() === undefined) sandbox.close();
    else attached.set(sandbox.name, sandbox);
  };

  return {
    ...{ options, pace, namespace, checkpoints: options.checkpoints, pods, sent: new Map() },
    nodes,
    pool: openPool({ options, pods, nodes, attach: attachToLook, adopt }),
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
