/**
 * Which generation of a session's sandbox is the newest, and whether it ever took calls: a Lease per session. Pods come
 * and go, also without a word; this is what keeps a slow worker from making an old generation, or a lost one again.
 */
import type { V1Lease } from '@kubernetes/client-node';
import { type Cluster, orMissing, statusOf } from './cluster.ts';
import { APP, LABELS, leaseName, SESSION_ANNOTATION, sessionHash, type Whose } from './names.ts';

const GENERATION = LABELS.generation;
/** Who writes to one session's lease are a few workers: after this many lost races the cluster is at fault. */
const MOST_RACES = 20;
/** Leases whose version is remembered: of sandboxes that are being made. */
const REMEMBERED = 1_000;

export interface Taken {
  made?: string;
  /** It is the first generation, and nobody has come as far as this before: there is no pod. */
  first: boolean;
}

export interface Generations {
  /**
   * Makes this generation the session's newest. Safe to repeat.
   * @returns the pod that was handed out for it before, if one was; and whether there can be no other.
   * @throws when there is a higher one.
   */
  take(whose: Whose & { generation: number }): Promise<Taken>;
  /** Before a sandbox is handed out. Throws when a higher generation has come meanwhile. */
  markMade(whose: Whose & { generation: number }, pod: string): Promise<void>;
}

export function openGenerations({ coordination }: Cluster, namespace: string, owner: string): Generations {
  /** The holder is the pod that was handed out: calls may have run in it. */
  const leaseOf = (whose: Whose & { generation: number }, pod: string | undefined): V1Lease => ({
    metadata: {
      name: leaseName(whose),
      namespace,
      labels: { [LABELS.app]: APP, [LABELS.owner]: owner, [LABELS.session]: sessionHash(whose) },
      annotations: {
        [SESSION_ANNOTATION]: whose.sessionId,
        [GENERATION]: String(whose.generation),
      },
    },
    spec: pod === undefined ? {} : { holderIdentity: pod },
  });

  /** As `take` wrote them: `markMade` needs no look, and is refused when another was faster. */
  const written = new Map<string, V1Lease>();
  const remember = (lease: V1Lease) => {
    const name = lease.metadata?.name ?? '';
    written.delete(name);
    written.set(name, lease);
    const [oldest] = written.keys();
    if (written.size > REMEMBERED && oldest !== undefined) written.delete(oldest);
  };

  /** Writes unless another was faster, which is then looked at. */
  const put = async (whose: Whose & { generation: number }, pod?: string): Promise<Taken> => {
    const name = leaseName(whose);
    for (let races = 0; ; races++) {
      const known = pod === undefined ? undefined : written.get(name);
      written.delete(name);
      // The first generation of a session finds nothing.
      const blindly = races === 0 && whose.generation === 1 && pod === undefined;
      const found =
        known ?? (blindly ? undefined : await orMissing(coordination.readNamespacedLease({ namespace, name })));
      const generation = Number(found?.metadata?.annotations?.[GENERATION] ?? 0);
      const holder = found?.spec?.holderIdentity;
      if (generation > whose.generation) {
        throw new Error(
          `Session ${whose.sessionId} is at generation ${generation}; ${whose.generation} is not made again.`,
        );
      }
      const same = found !== undefined && generation === whose.generation;
      if (same && (holder || pod === undefined)) return { made: holder, first: false };
      const body = leaseOf(whose, pod);
      try {
        let wrote: V1Lease;
        if (found) {
          if (body.metadata) body.metadata.resourceVersion = found.metadata?.resourceVersion;
          wrote = await coordination.replaceNamespacedLease({ namespace, name, body });
        } else {
          wrote = await coordination.createNamespacedLease({ namespace, body });
        }
        if (pod === undefined) remember(wrote);
        return { made: pod, first: blindly };
      } catch (error) {
        const raced = statusOf(error) === 409 || statusOf(error) === 404;
        if (!raced || races === MOST_RACES) throw error;
      }
    }
  };

  return {
    take: (whose) => put(whose),
    async markMade(whose, pod) {
      const { made: holder } = await put(whose, pod);
      if (holder !== pod) throw new Error(`Session ${whose.sessionId} was given ${holder} meanwhile, not ${pod}.`);
    },
  };
}
