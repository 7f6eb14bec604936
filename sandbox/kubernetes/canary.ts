/**
 * Proof, before the first sandbox, that this cluster keeps its promises: two pods as sandboxes are made, one of which
 * looks at what runs it and knocks at doors that must be closed. A NetworkPolicy that nobody enforces looks exactly like
 * one that works, and so does a RuntimeClass that leads to another runtime.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import type { CallOutcome, Hands, SandboxRef } from '../hands.ts';
import { type Cluster, wordsOf } from './cluster.ts';
import { TOOL_PORT } from './names.ts';

/** Some networks apply a policy a moment after a pod has started; this much later it must be in force, milliseconds. */
const IN_FORCE_MS = 10_000;
const AGAIN_MS = 500;
const KNOCK_SECONDS = 2;

/** Thrown when sandboxes cannot be isolated on this cluster: what failed, and what to do. */
export class ClusterNotSafeError extends Error {
  override name = 'ClusterNotSafeError';
}

interface Parts {
  hands: Pick<Hands, 'provision' | 'execute' | 'release'>;
  cluster: Cluster;
  namespace: string;
  runtimeClass: string;
}

/**
 * Takes about two seconds.
 * @returns the names of the nodes on which it was shown.
 * @throws ClusterNotSafeError
 */
export async function probeCluster({ hands, cluster, namespace, runtimeClass }: Parts): Promise<string[]> {
  const id = `canary-${randomUUID()}`;
  const refs: SandboxRef[] = [];
  const signal = AbortSignal.timeout(5 * 60_000);
  const run = async (ref: SandboxRef, command: string): Promise<string> => {
    const call = { id: `call_${randomUUID()}`, thread: 'main', name: 'bash', input: { command }, deadlineMs: 60_000 };
    return textOf(await hands.execute(ref, { ...call, attempt: 1 }, signal));
  };
  try {
    const made = await Promise.allSettled(
      ['a', 'b'].map(async (copy) => {
        const ref = await hands.provision({ sessionId: id, copy, generation: 1 }, signal);
        refs.push(ref);
        return ref;
      }),
    );
    const failed = made.find((one) => one.status === 'rejected');
    if (failed) throw unsafe(`no sandbox can be made in namespace ${namespace}: ${wordsOf(failed.reason)}`);
    const [one, other] = refs;
    if (!one || !other) throw unsafe('a sandbox that was made is not there');
    for (const ref of refs) {
      const kernel = await run(ref, 'cat /proc/version; dmesg 2>&1 | head -3');
      if (/gvisor/i.test(kernel)) continue;
      throw unsafe(
        `the RuntimeClass "${runtimeClass}" does not lead to gVisor; from inside the kernel says: ${kernel.slice(0, 200)}. ` +
          'Point the RuntimeClass at runsc, or set LONGHAND_RUNTIME_CLASS to the one that is',
      );
    }
    const podOf = (ref: SandboxRef) => cluster.core.readNamespacedPod({ namespace, name: ref.id });
    const [pod, otherPod] = await Promise.all([podOf(one), podOf(other)]);
    await mustBeClosed((command) => run(one, command), doors(cluster, pod, otherPod));
    // The other has only been looked at, and may be on another node.
    return pod.spec?.nodeName ? [pod.spec.nodeName] : [];
  } finally {
    await Promise.all(refs.map((ref) => hands.release(ref).catch(() => undefined)));
  }
}

interface Door {
  what: string;
  host: string;
  port: number;
}

/** What a sandbox could reach on a cluster without enforced policies: another sandbox, which certainly listens. */
function doors({ config }: Cluster, pod: V1Pod, other: V1Pod): Door[] {
  const found: Door[] = [{ what: 'another sandbox', host: other.status?.podIP ?? '', port: TOOL_PORT }];
  const server = new URL(config.getCurrentCluster()?.server ?? 'https://kubernetes.default.svc');
  if (/^[\d.]+$/.test(server.hostname)) {
    found.push({ what: 'the API server', host: server.hostname, port: Number(server.port || 443) });
  }
  if (pod.status?.hostIP) found.push({ what: 'the kubelet of its node', host: pod.status.hostIP, port: 10_250 });
  return found;
}

async function mustBeClosed(run: (command: string) => Promise<string>, closed: Door[]): Promise<void> {
  const knock = closed.map(
    ({ host, port }, at) =>
      `(timeout ${KNOCK_SECONDS} bash -c 'exec 3<>/dev/tcp/${host}/${port}' 2>/dev/null && echo "open ${at}") &`,
  );
  const command = `${knock.join('\n')}\nwait; echo knocked`;
  const until = Date.now() + IN_FORCE_MS;
  for (;;) {
    const said = await run(command);
    if (!said.includes('knocked')) throw unsafe(`a sandbox could not be looked into: ${said.slice(0, 300)}`);
    const open = closed.filter((_, at) => new RegExp(`open ${at}$`, 'm').test(said)).map(({ what }) => what);
    if (open.length === 0) return;
    if (Date.now() > until) {
      throw unsafe(
        `the network policy is not enforced: a sandbox can reach ${open.join(' and ')}. Apply k8s/sandboxes/2-network.yaml, ` +
          'and use a network (CNI) that enforces NetworkPolicy in both directions',
      );
    }
    await sleep(AGAIN_MS);
  }
}

function textOf(outcome: CallOutcome): string {
  if (outcome.kind !== 'finished') throw unsafe(`a command in a sandbox ended as ${outcome.kind}: ${outcome.message}`);
  return outcome.content.map((block) => (block.type === 'text' ? block.text : '')).join('\n');
}

function unsafe(why: string): ClusterNotSafeError {
  return new ClusterNotSafeError(`Sandboxes would not be isolated, so none is started: ${why}.`);
}
