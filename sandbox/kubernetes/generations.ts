/**
 * Which generation of a session's sandbox is the newest, and whether it ever took calls: a Lease per session. Pods come
 * and go, also without a word; this is what keeps a slow worker from making an old generation, or a lost one again.
 */
import type { V1Lease } from '@kubernetes/client-node';
import { type Cluster, orMissing, statusOf } from './cluster.ts';
import { APP, LABELS, leaseName, podName, SESSION_ANNOTATION, sessionHash, type Whose } from './names.ts';

const GENERATION = LABELS.generation;
/** "true" once the sandbox was handed out: calls may have run in it. */
const MADE = 'longhand/made';

export interface Generations {
  /**
   * Makes this generation the session's newest. Safe to repeat.
   * @returns whether its sandbox was handed out before.
   * @throws when there is a higher one.
   */
  take(whose: Whose & { generation: number }): Promise<{ made: boolean }>;
  /** Before a sandbox is handed out. Throws when a higher generation has come meanwhile. */
  markMade(whose: Whose & { generation: number }): Promise<void>;
}

export function openGenerations({ coordination }: Cluster, namespace: string, owner: string): Generations {
  const leaseOf = (whose: Whose & { generation: number }, made: boolean): V1Lease => ({
    metadata: {
      name: leaseName(whose),
      namespace,
      labels: { [LABELS.app]: APP, [LABELS.owner]: owner, [LABELS.session]: sessionHash(whose) },
      annotations: {
        [SESSION_ANNOTATION]: whose.sessionId,
        [GENERATION]: String(whose.generation),
        [MADE]: String(made),
      },
    },
    spec: { holderIdentity: podName(whose) },
  });

  /** Writes unless another was faster, which is then looked at. */
  const put = async (whose: Whose & { generation: number }, wanted: boolean): Promise<{ made: boolean }> => {
    const name = leaseName(whose);
    for (;;) {
      const found = await orMissing(coordination.readNamespacedLease({ namespace, name }));
      const { generation, made } = read(found);
      if (generation > whose.generation) {
        throw new Error(
          `Session ${whose.sessionId} is at generation ${generation}; ${whose.generation} is not made again.`,
        );
      }
      const same = found !== undefined && generation === whose.generation;
      if (same && (made || made === wanted)) return { made };
      const body = leaseOf(whose, wanted);
      try {
        if (found) {
          if (body.metadata) body.metadata.resourceVersion = found.metadata?.resourceVersion;
          await coordination.replaceNamespacedLease({ namespace, name, body });
        } else {
          await coordination.createNamespacedLease({ namespace, body });
        }
        return { made: wanted };
      } catch (error) {
        if (statusOf(error) !== 409) throw error;
      }
    }
  };

  return {
    take: (whose) => put(whose, false),
    async markMade(whose) {
      await put(whose, true);
    },
  };
}

function read(lease: V1Lease | undefined): { generation: number; made: boolean } {
  const { [GENERATION]: generation, [MADE]: made } = lease?.metadata?.annotations ?? {};
  return { generation: Number(generation ?? 0), made: made === 'true' };
}
