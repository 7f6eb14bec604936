/** Sandboxes of a test's Longhand on the cluster of KUBECONFIG. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectCluster, orMissing } from '../../sandbox/kubernetes/cluster.ts';
import { LABELS, ownerHash } from '../../sandbox/kubernetes/names.ts';
import { homeLayout } from '../../workers/data-folder.ts';

const namespace = process.env.LONGHAND_KUBERNETES_NAMESPACE ?? 'longhand-sandboxes';

/** What the hands worker is given beside the rest. */
export function kubernetesEnv(): Record<string, string> {
  return {
    KUBECONFIG: process.env.KUBECONFIG ?? '',
    LONGHAND_SANDBOX: 'kubernetes',
    LONGHAND_KUBERNETES_NAMESPACE: namespace,
    LONGHAND_SANDBOX_IMAGE: process.env.LONGHAND_SANDBOX_IMAGE ?? '',
    LONGHAND_RUNTIME_CLASS: process.env.LONGHAND_RUNTIME_CLASS ?? '',
    // A small machine carries many idle sandboxes.
    LONGHAND_SANDBOX_RESERVE: '5',
  };
}

/** Ends a pod as a lost node does: without a word. */
export async function loseSandbox(name: string): Promise<void> {
  const cluster = connectCluster();
  await cluster.core.deleteNamespacedPod({ namespace, name, gracePeriodSeconds: 0 });
  await cluster.close();
}

/** Sandboxes outlive their worker: what a test leaves is removed by the key of its data folder. */
export async function releasePods(home: string): Promise<void> {
  const key = await readFile(join(homeLayout(home).hands, 'sandbox.key')).catch(() => undefined);
  if (!key) return;
  const cluster = connectCluster();
  const labelSelector = `${LABELS.owner}=${ownerHash(key)}`;
  const pods = await cluster.core.listNamespacedPod({ namespace, labelSelector });
  const leases = await cluster.coordination.listNamespacedLease({ namespace, labelSelector });
  const names = (items: { metadata?: { name?: string } }[]) => items.map(({ metadata }) => metadata?.name ?? '');
  await Promise.all([
    ...names(pods.items).map((name) => orMissing(cluster.core.deleteNamespacedPod({ namespace, name }))),
    ...names(leases.items).map((name) => orMissing(cluster.coordination.deleteNamespacedLease({ namespace, name }))),
  ]);
  await cluster.close();
}
