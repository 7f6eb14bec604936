/** Hands on a real cluster, for tests: `npm run test:k8s` with a KUBECONFIG and the image's name. */
import { randomBytes } from 'node:crypto';
import type { ContractSubject } from '../contract.ts';
import type { SandboxRef } from '../hands.ts';
import { memoryCheckpoints } from '../testing-checkpoints.ts';
import { type Cluster, connectCluster, orMissing } from './cluster.ts';
import { createKubernetesHands, type KubernetesHands } from './hands.ts';
import { LABELS, ownerHash } from './names.ts';
import type { KubernetesOptions } from './options.ts';

/** Why the tests on a cluster cannot run here; undefined when they can. */
export function clusterMissing(env = process.env): string | undefined {
  if (env.LONGHAND_TEST_KUBERNETES !== '1') return 'only with npm run test:k8s';
  if (!env.KUBECONFIG) return 'KUBECONFIG is not set';
  if (!env.LONGHAND_SANDBOX_IMAGE) return 'LONGHAND_SANDBOX_IMAGE is not set';
  return undefined;
}

export interface KubernetesSubject extends ContractSubject {
  hands: KubernetesHands;
  options: KubernetesOptions;
  cluster: Cluster;
  /** As `reopen`, with other settings. */
  open(overrides: Partial<KubernetesOptions>): KubernetesHands;
}

export async function openTestHands(overrides: Partial<KubernetesOptions> = {}): Promise<KubernetesSubject> {
  const cluster = connectCluster();
  const options: KubernetesOptions = {
    cluster,
    namespace: process.env.LONGHAND_KUBERNETES_NAMESPACE ?? 'longhand-sandboxes',
    image: process.env.LONGHAND_SANDBOX_IMAGE ?? '',
    runtimeClass: process.env.LONGHAND_RUNTIME_CLASS ?? 'gvisor',
    key: randomBytes(32),
    // A small machine carries many idle sandboxes.
    requestShare: 0.03,
    checkpoints: memoryCheckpoints(),
    log: process.env.LONGHAND_TEST_LOG ? (message) => process.stderr.write(`${message}\n`) : undefined,
    ...overrides,
  };
  const { namespace } = options;
  const all: KubernetesHands[] = [];
  const open = (more: Partial<KubernetesOptions> = {}) => {
    const hands = createKubernetesHands({ ...options, ...more });
    all.push(hands);
    return hands;
  };
  const labelSelector = `${LABELS.owner}=${ownerHash(options.key)}`;
  return {
    hands: open(),
    options,
    cluster,
    open,
    reopen: async () => open(),
    async crash(ref: SandboxRef) {
      await cluster.core.deleteNamespacedPod({ namespace, name: ref.id, gracePeriodSeconds: 0 });
    },
    async dispose() {
      await Promise.all(all.map((hands) => hands.close()));
      const pods = await cluster.core.listNamespacedPod({ namespace, labelSelector });
      const leases = await cluster.coordination.listNamespacedLease({ namespace, labelSelector });
      const names = (items: { metadata?: { name?: string } }[]) => items.map(({ metadata }) => metadata?.name ?? '');
      await Promise.all([
        ...names(pods.items).map((name) => orMissing(cluster.core.deleteNamespacedPod({ namespace, name }))),
        ...names(leases.items).map((name) =>
          orMissing(cluster.coordination.deleteNamespacedLease({ namespace, name })),
        ),
      ]);
      await cluster.close();
    },
  };
}
