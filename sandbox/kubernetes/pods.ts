/**
 * What this process knows of the installation's pods: a list, kept up to date by a watch that begins anew after any
 * error. It may be late, so "not there" is only believed after the API server was asked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type V1Pod, Watch } from '@kubernetes/client-node';
import { type Cluster, orMissing } from './cluster.ts';
import { APP, LABELS } from './names.ts';
import { SHELL } from './pod.ts';

/** Pauses after a watch that failed, milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A watch that says nothing for this long is begun anew: the connection may be dead. */
const QUIET_MS = 60_000;
/** A shell that the kubelet has to start again for the second time is kept waiting, longer each time. */
const SHELL_STARTS = 2;

export interface Pods {
  /** As of now from the API server; undefined when there is none. */
  read(name: string): Promise<V1Pod | undefined>;
  /** What the watch knows; undefined also while it is late. */
  known(name: string): V1Pod | undefined;
  /** All that the watch knows. */
  all(): V1Pod[];
  /** Calls back with each change of a pod, `undefined` when it is gone; returns how to stop. */
  follow(name: string, changed: (pod: V1Pod | undefined) => void): () => void;
  /** Begins to watch; `follow` does too. */
  begin(): void;
  /** Takes note of what an answer said, ahead of the watch. */
  note(pod: V1Pod): void;
  close(): void;
}

interface Versioned {
  metadata?: { resourceVersion?: string };
}

/** Why a sandbox must be taken for gone although its pod is there; undefined when it lives, or may still begin to. */
export function goneBecause(pod: V1Pod): string | undefined {
  if (pod.metadata?.deletionTimestamp) return 'it was deleted';
  const { phase, reason, message } = pod.status ?? {};
  if (phase === 'Failed' || phase === 'Succeeded') return [`its pod ended`, reason, message].filter(Boolean).join(': ');
  const shell = pod.status?.containerStatuses?.find(({ name }) => name === SHELL);
  if ((shell?.restartCount ?? 0) >= SHELL_STARTS) return 'its shell was ended again and again';
  return undefined;
}

/** Begins to watch at the first `follow`. */
export function watchPods({ config, core }: Cluster, namespace: string, owner: string): Pods {
  const cache = new Map<string, V1Pod>();
  const followers = new Map<string, Set<(pod: V1Pod | undefined) => void>>();
  const stop = new AbortController();
  const labelSelector = `${LABELS.app}=${APP},${LABELS.owner}=${owner}`;
  let begun = false;

  const tell = (name: string, pod: V1Pod | undefined) => {
    for (const changed of [...(followers.get(name) ?? [])]) changed(pod);
  };
  const set = (pod: V1Pod): void => {
    const name = pod.metadata?.name ?? '';
    const before = cache.get(name);
    if (before && before.metadata?.uid === pod.metadata?.uid && isOlder(pod, before)) return;
    cache.set(name, pod);
    tell(name, pod);
  };
  const remove = (name: string) => {
    cache.delete(name);
    tell(name, undefined);
  };

  /** Not its successor of the same name. */
  const removeThis = ({ metadata }: V1Pod) => {
    const name = metadata?.name ?? '';
    const known = cache.get(name);
    if (known === undefined || known.metadata?.uid === metadata?.uid) remove(name);
  };

  const listAll = async (): Promise<string> => {
    const list = await core.listNamespacedPod({ namespace, labelSelector });
    const there = new Set(list.items.map(({ metadata }) => metadata?.name));
    for (const [name, pod] of cache) {
      // One that was made, and noted, after the list was taken is not in it.
      if (!there.has(name) && !isOlder(list, pod)) remove(name);
    }
    for (const pod of list.items) set(pod);
    return list.metadata?.resourceVersion ?? '';
  };

  const watchFrom = (resourceVersion: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const watch = new Watch(config);
      // Settable, and not in its types.
      Object.assign(watch, { requestTimeoutMs: QUIET_MS });
      const path = `/api/v1/namespaces/${namespace}/pods`;
      const query = { labelSelector, resourceVersion, allowWatchBookmarks: true };
      const on = (type: string, pod: V1Pod) => {
        if (type === 'ADDED' || type === 'MODIFIED') set(pod);
        else if (type === 'DELETED') removeThis(pod);
        // 410 and its like: the list is begun anew.
        else if (type === 'ERROR') reject(new Error(JSON.stringify(pod)));
      };
      watch
        .watch(path, query, on, (error: unknown) => (error ? reject(error) : resolve()))
        .then((controller) => stop.signal.addEventListener('abort', () => controller.abort(), { once: true }))
        .catch(reject);
    });

  const run = async () => {
    let pause = FIRST_PAUSE_MS;
    while (!stop.signal.aborted) {
      try {
        await watchFrom(await listAll());
        pause = FIRST_PAUSE_MS;
      } catch {
        // The API server is away, or has forgotten where we were: what is known stays, and may be late.
        await sleep(pause, undefined, { ref: false });
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  };

  const begin = () => {
    if (begun) return;
    begun = true;
    run().catch(() => undefined);
  };

  return {
    async read(name) {
      const pod = await orMissing(core.readNamespacedPod({ namespace, name }));
      if (pod) set(pod);
      else if (cache.has(name)) remove(name);
      return pod;
    },
    known: (name) => cache.get(name),
    all: () => [...cache.values()],
    begin,
    follow(name, changed) {
      begin();
      const own = followers.get(name) ?? new Set();
      followers.set(name, own.add(changed));
      return () => {
        own.delete(changed);
        if (own.size === 0) followers.delete(name);
      };
    },
    note: set,
    close: () => stop.abort(),
  };
}

/** Resource versions of one kind of object are numbers that grow, in every store that Kubernetes has. */
function isOlder(one: Versioned, other: Versioned): boolean {
  const [a, b] = [one, other].map(({ metadata }) => Number(metadata?.resourceVersion));
  return a !== undefined && b !== undefined && a < b;
}
