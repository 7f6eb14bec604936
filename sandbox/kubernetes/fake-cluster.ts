/** A cluster for tests of what a healthy one never shows: the fake API server, and fake sandboxes behind its pods. */
import { randomBytes } from 'node:crypto';
import { memoryCheckpoints } from '../testing-checkpoints.ts';
import { type FakeApiOptions, type FakeApiServer, startFakeApi } from './fake-api-server.ts';
import { type FakeNode, startFakeNode } from './fake-sandbox.ts';
import { createKubernetesHands, type KubernetesHands } from './hands.ts';
import type { KubernetesOptions } from './options.ts';

export interface FakeCluster {
  api: FakeApiServer;
  node: FakeNode;
  options: KubernetesOptions;
  /** What the hands said for people. */
  logged: string[];
  /** Another worker's hands, with connections of its own. @param callMs - deadline of their calls of the API server. */
  open(
    more?: { blindMs?: number; callMs?: number } & Pick<
      Partial<KubernetesOptions>,
      'checkpoints' | 'targets' | 'warmPool'
    >,
  ): KubernetesHands;
  close(): Promise<void>;
}

/** A live sandbox may take this long, and the API server, milliseconds. Much, for a machine that is busy. */
const PATIENCE_MS = 500;
const CALL_MS = 5_000;

export async function startFakeCluster(more: FakeApiOptions = {}): Promise<FakeCluster> {
  const api = await startFakeApi(more);
  const node = startFakeNode(api);
  const all: KubernetesHands[] = [];
  const logged: string[] = [];
  const options: KubernetesOptions = {
    cluster: api.connect(CALL_MS),
    namespace: 'n',
    image: 'image',
    runtimeClass: 'gvisor',
    key: randomBytes(32),
    checkpoints: memoryCheckpoints(),
    startMs: 3_000,
    patienceMs: PATIENCE_MS,
    log: (message) => logged.push(message),
  };
  return {
    ...{ api, node, options, logged },
    open({ blindMs, callMs = CALL_MS, ...own } = {}) {
      const hands = createKubernetesHands({ ...options, ...own, cluster: api.connect(callMs) }, { blindMs });
      all.push(hands);
      return hands;
    },
    async close() {
      await Promise.all(all.map((hands) => hands.close()));
      await api.close();
      await node.close();
    },
  };
}
