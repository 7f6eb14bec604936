/**
 * What this process knows of the installation's pods: a list, kept up to date by a watch that begins anew after any
 * error. It may be late, so "not there" is only believed after the API server was asked.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type V1Pod, Watch } from '@kubernetes/client-node';
import { type Cluster, orMissing } from './cluster.ts';
import { APP, LABELS } from './names.ts';
import { SHELL } from './pod.ts';

/** Pauses between two watches: after one that lasted, and after many that did not, milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/**
 * A watch that says nothing for this long is begun anew: the connection may be dead. The API server says where it is
 * (a bookmark) once a minute, and a little later when it is busy.
 */
const QUIET_MS = 90_000;
/** Pods whose end is remembered, so that late news of them is known for what it is. */
const REMEMBERED = 5_000;
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

/** Begins to watch at the first `follow`. @param quietMs - see {@link QUIET_MS}. */
export function watchPods({ config, core }: Cluster, namespace: string, owner: string, quietMs = QUIET_MS): Pods {
  const cache = new Map<string, V1Pod>();
  /** Their uids, which no pod has again. */
  const ended = new Set<string>();
  const followers = new Map<string, Set<(pod: V1Pod | undefined) => void>>();
  const stop = new AbortController();
  const labelSelector = `${LABELS.app}=${APP},${LABELS.owner}=${owner}`;
  let begun = false;

  const tell = (name: string, pod: V1Pod | undefined) => {
    for (const changed of [...(followers.get(name) ?? [])]) changed(pod);
  };
  const set = (pod: V1Pod): void => {
    const { name, uid = '' } = pod.metadata ?? {};
    if (!name || ended.has(uid)) return;
    const before = cache.get(name);
    // Also of its predecessor of the same name.
    if (before && isOlder(pod, before)) return;
    cache.set(name, pod);
    tell(name, pod);
  };

  /** Not its successor of the same name. */
  const remove = ({ metadata }: V1Pod) => {
    const { name = '', uid = '' } = metadata ?? {};
    ended.add(uid);
    const [oldest] = ended;
    if (ended.size > REMEMBERED && oldest !== undefined) ended.delete(oldest);
    const known = cache.get(name);
    if (known && known.metadata?.uid !== uid) return;
    cache.delete(name);
    tell(name, undefined);
  };

  const listAll = async (): Promise<string> => {
    const list = await core.listNamespacedPod({ namespace, labelSelector });
    const there = new Set(list.items.map(({ metadata }) => metadata?.name));
    for (const [name, pod] of cache) {
      // One that was made, and noted, after the list was taken is not in it.
      if (!there.has(name) && !isOlder(list, pod)) remove(pod);
    }
    for (const pod of list.items) set(pod);
    return list.metadata?.resourceVersion ?? '';
  };

  const watchFrom = async (resourceVersion: string): Promise<void> => {
    const watch = new Watch(config);
    // Settable, and not in its types.
    Object.assign(watch, { requestTimeoutMs: quietMs });
    const path = `/api/v1/namespaces/${namespace}/pods`;
    const query = { labelSelector, resourceVersion, allowWatchBookmarks: true };
    let over = stop.signal.aborted;
    let end = () => {};
    const finished = new Promise<void>((resolve) => {
      end = () => {
        over = true;
        resolve();
      };
    });
    const on = (type: string, pod: V1Pod) => {
      if (over) return;
      if (type === 'ADDED' || type === 'MODIFIED') set(pod);
      else if (type === 'DELETED') remove(pod);
      // 410 and its like: the list is begun anew.
      else if (type === 'ERROR') end();
    };
    stop.signal.addEventListener('abort', end, { once: true });
    // It resolves when the server has answered, or when that failed.
    const opened = watch.watch(path, query, on, end);
    opened.then(
      (controller) => finished.then(() => controller.abort()),
      () => end(),
    );
    await finished;
    stop.signal.removeEventListener('abort', end);
  };

  const run = async () => {
    let pause = FIRST_PAUSE_MS;
    while (!stop.signal.aborted) {
      const began = Date.now();
      try {
        const from = await listAll();
        if (!stop.signal.aborted) await watchFrom(from);
      } catch {
        // The API server is away: what is known stays, and may be late.
      }
      // What ends at once, even without an error, is not begun again at once.
      if (Date.now() - began > LONGEST_PAUSE_MS) pause = FIRST_PAUSE_MS;
      await sleep(pause, undefined, { ref: false, signal: stop.signal }).catch(() => undefined);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  };

  const begin = () => {
    if (begun) return;
    begun = true;
    run().catch(() => undefined);
  };

  return {
    async read(name) {
      const before = cache.get(name);
      const pod = await orMissing(core.readNamespacedPod({ namespace, name }));
      if (pod) set(pod);
      // Not one that was made, and noted, meanwhile.
      else if (before) remove(before);
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
