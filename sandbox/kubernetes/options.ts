/** What the `kubernetes` provider is told. */
import type { CheckpointStore, SandboxLimits } from '../hands.ts';
import type { Targets } from '../targets.ts';
import type { Cluster } from './cluster.ts';

export interface KubernetesOptions {
  cluster: Cluster;
  /** Namespace of the sandboxes, and of nothing else. */
  namespace: string;
  /** Image with the tool server (k8s/image). */
  image: string;
  /** RuntimeClass whose runtime is gVisor. */
  runtimeClass: string;
  /** Secret of at least 32 bytes which all hands workers of an installation share: tokens of sandboxes come of it. */
  key: Buffer;
  checkpoints: CheckpointStore;
  /** Absent members: {@link DEFAULT_LIMITS}. */
  limits?: Partial<SandboxLimits>;
  /** CPUs and memory that the scheduler sets aside, as a share of the limits. Default 1: nothing is promised twice. */
  requestShare?: number;
  /** The operator's; absent: there is only the ordinary one. */
  targets?: Targets;
  /** Sandboxes that are to be ready ahead of need, by target. */
  warmPool?: ReadonlyMap<string, number>;
  /** Name of the node that all sandboxes are for; absent: the scheduler's choice. */
  node?: string;
  /** Milliseconds from creation until a pod must answer: scheduling, pulling the image, starting. Default 4 minutes. */
  startMs?: number;
  /** Milliseconds that a live sandbox may take to answer a ping, and then a new connection. Default 25,000. */
  patienceMs?: number;
  /** Seconds after which Kubernetes ends a sandbox by itself, whatever became of its workers. Default 24 hours. */
  lifeSeconds?: number;
  log?: (message: string) => void;
}

export const DEFAULT_START_MS = 4 * 60_000;
export const DEFAULT_PATIENCE_MS = 25_000;
export const DEFAULT_LIFE_SECONDS = 24 * 3600;
export const DEFAULT_REQUEST_SHARE = 1;

export const DEFAULT_LIMITS: SandboxLimits = {
  memoryBytes: 2 * 1024 ** 3,
  cpus: 2,
  pids: 512,
  diskBytes: 8 * 1024 ** 3,
  outputBytes: 16 * 1024 ** 2,
};
