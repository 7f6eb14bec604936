/** Ends what no session claims: the pods of sessions that are over, and those that a session has replaced. */
import type { V1Pod } from '@kubernetes/client-node';
import { statusOf, wordsOf } from './cluster.ts';
import { LABELS, ownerHash, SESSION_ANNOTATION } from './names.ts';
import type { KubernetesOptions } from './options.ts';

/** Leases of sessions that had no sandbox for this long are forgotten, milliseconds. */
const REMEMBERED_MS = 30 * 24 * 3600_000;

/**
 * @param youngMs - pods that are younger are left alone: whoever made them may not have said so yet.
 * @param isLive - whether a session may still use a sandbox; when it cannot be known it rejects, and the pod stays.
 * @returns how many pods were ended. Rejects after it has tried all, when one could not be.
 */
export async function reapPods(
  { cluster, namespace, key, log }: KubernetesOptions,
  youngMs: number,
  isLive: (sessionId: string) => Promise<boolean>,
): Promise<number> {
  const labelSelector = `${LABELS.owner}=${ownerHash(key)}`;
  const [pods, leases] = await Promise.all([
    cluster.core.listNamespacedPod({ namespace, labelSelector }),
    cluster.coordination.listNamespacedLease({ namespace, labelSelector }),
  ]);
  const newest = new Map(
    leases.items.map(({ metadata, spec }) => [
      metadata?.labels?.[LABELS.session] ?? '',
      { generation: Number(metadata?.annotations?.[LABELS.generation] ?? 0), pod: spec?.holderIdentity },
    ]),
  );
  const why = async ({ metadata }: V1Pod): Promise<string | undefined> => {
    const { labels = {}, annotations = {} } = metadata ?? {};
    const sessionId = annotations[SESSION_ANNOTATION];
    // In the pool; its upkeep is another's.
    if (sessionId === undefined) return undefined;
    const lease = newest.get(labels[LABELS.session] ?? '');
    const generation = Number(labels[LABELS.generation]);
    if (lease && lease.generation > generation) return `its session is at generation ${lease.generation}`;
    if (lease?.pod && lease.generation === generation && lease.pod !== metadata?.name)
      return `its session has ${lease.pod}`;
    return (await isLive(sessionId)) ? undefined : `session ${sessionId} is over`;
  };
  const failed: Error[] = [];
  /** Whether it was there, and as we saw it; another failure is told at the end, when the others are done. */
  const isEnded = async (deleted: Promise<unknown>): Promise<boolean> => {
    try {
      await deleted;
      return true;
    } catch (error) {
      const status = statusOf(error);
      // The API server is away: the others would fail as slowly.
      if (status === undefined) throw error;
      if (status !== 404 && status !== 409) failed.push(error as Error);
      return false;
    }
  };
  let ended = 0;
  for (const pod of pods.items) {
    const { name = '', creationTimestamp, deletionTimestamp, uid } = pod.metadata ?? {};
    if (deletionTimestamp || ageOf(creationTimestamp) < youngMs) continue;
    const reason = await why(pod).catch(() => undefined);
    if (reason === undefined) continue;
    log?.(`sandbox ${name} is an orphan and is ended: ${reason}`);
    const body = { preconditions: { uid } };
    if (await isEnded(cluster.core.deleteNamespacedPod({ namespace, name, body }))) ended++;
  }
  const held = new Set(pods.items.map(({ metadata }) => metadata?.labels?.[LABELS.session]));
  for (const { metadata } of leases.items) {
    if (held.has(metadata?.labels?.[LABELS.session]) || ageOf(lastChange(metadata)) < REMEMBERED_MS) continue;
    const { name = '', resourceVersion } = metadata ?? {};
    // Not when the session has come back at this moment.
    const body = { preconditions: { resourceVersion } };
    await isEnded(cluster.coordination.deleteNamespacedLease({ namespace, name, body }));
  }
  if (failed[0]) {
    const rest = `${failed.length} of the cluster's objects could not be ended`;
    throw new Error(`${rest}, for example: ${wordsOf(failed[0])}`, { cause: failed[0] });
  }
  return ended;
}

function lastChange(metadata: { creationTimestamp?: Date; managedFields?: { time?: Date }[] } | undefined) {
  return metadata?.managedFields?.at(-1)?.time ?? metadata?.creationTimestamp;
}

function ageOf(time: Date | undefined): number {
  return time ? Date.now() - new Date(time).getTime() : 0;
}
