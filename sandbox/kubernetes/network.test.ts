/** The one way in and no way out, by real packets; and what a hands worker's own rights are enough for. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { RbacAuthorizationV1Api } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shell, signal } from '../contract.ts';
import type { SandboxRef } from '../hands.ts';
import { connectCluster, orMissing, statusOf } from './cluster.ts';
import { TOOL_PORT } from './names.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from './testing.ts';

const missing = clusterMissing();

describe.skipIf(missing)(`doors of a sandbox${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let subject: KubernetesSubject;
  let ref: SandboxRef;
  let host: Server;
  const elsewhere = `longhand-open-${randomBytes(3).toString('hex')}`;
  beforeAll(async () => {
    subject = await openTestHands();
    await subject.cluster.core.createNamespace({ body: { metadata: { name: elsewhere } } });
    ref = await subject.hands.provision({ sessionId: 'doors', generation: 1 }, signal);
    host = createServer((socket) => socket.end()).listen(0, '0.0.0.0');
  }, 60_000);
  afterAll(async () => {
    host?.close();
    await subject?.cluster.core.deleteNamespace({ name: elsewhere });
    await subject?.dispose();
  }, 60_000);

  const knock = (doors: string[]) =>
    `${doors
      .map((door) => {
        const [address, port] = door.split(' ');
        return `(timeout 3 bash -c 'exec 3<>/dev/tcp/${address}/${port}' 2>/dev/null && echo 'OPEN ${door}') &`;
      })
      .join('\n')}\nwait; echo knocked`;

  test('nothing outside can be reached: hosts, the node, metadata, DNS, services, the world', async () => {
    const address = host.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const own = Object.values(networkInterfaces()).flatMap(
      (all) => all?.filter(({ family }) => family === 'IPv4') ?? [],
    );
    const pod = await subject.cluster.core.readNamespacedPod({ namespace: subject.options.namespace, name: ref.id });
    const service = await subject.cluster.core.readNamespacedService({ namespace: 'default', name: 'kubernetes' });
    const doors = [
      ...own.filter(({ internal }) => !internal).map((one) => `${one.address} ${port}`),
      ...[22, 443, 6443, 10_250].map((one) => `${pod.status?.hostIP} ${one}`),
      `${service.spec?.clusterIP} 443`,
      ...['169.254.169.254 80', '1.1.1.1 443', '8.8.8.8 53'],
    ];
    expect(await shell(subject.hands, ref, knock(doors))).toBe('knocked');
    expect(
      await shell(subject.hands, ref, 'getent hosts example.com; getent hosts kubernetes.default.svc; echo end'),
    ).toBe('end');
  }, 60_000);

  test('a pod elsewhere cannot reach it, though it can reach others: only the hands can', async () => {
    const open = subject.open({ namespace: elsewhere });
    const [from, other] = await Promise.all(
      ['from', 'other'].map((sessionId) => open.provision({ sessionId, generation: 1 }, signal)),
    );
    if (!from || !other) throw new Error('There are no pods elsewhere.');
    const addressOf = async (namespace: string, name: string) =>
      (await subject.cluster.core.readNamespacedPod({ namespace, name })).status?.podIP;
    const closed = `${await addressOf(subject.options.namespace, ref.id)} ${TOOL_PORT}`;
    const control = `${await addressOf(elsewhere, other.id)} ${TOOL_PORT}`;
    expect(await shell(open, from, knock([closed, control]))).toBe(`OPEN ${control}\nknocked`);
  }, 90_000);

  test('the rights of k8s/sandboxes/4-hands-role.yaml are enough for the hands, and for nothing else', async () => {
    const { namespace } = subject.options;
    const rbac = subject.cluster.config.makeApiClient(RbacAuthorizationV1Api);
    const account = { namespace: elsewhere, name: 'hands' };
    await subject.cluster.core.createNamespacedServiceAccount({ namespace: elsewhere, body: { metadata: account } });
    await rbac.createNamespacedRoleBinding({
      namespace,
      body: {
        metadata: { name: elsewhere },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'longhand-hands' },
        subjects: [{ kind: 'ServiceAccount', ...account }],
      },
    });
    const { status } = await subject.cluster.core.createNamespacedServiceAccountToken({
      ...account,
      body: { spec: { audiences: [], expirationSeconds: 3_600 } },
    });
    const server = subject.cluster.config.getCurrentCluster();
    if (!server || !status) throw new Error('There is no token.');
    const cluster = connectCluster((config) =>
      config.loadFromClusterAndUser(server, { name: 'hands', token: status.token }),
    );
    const hands = subject.open({ cluster });
    try {
      await hands.probe();
      await hands.refill(1, signal);
      const one = await hands.provision({ sessionId: 'rights', generation: 1 }, signal);
      expect(await shell(hands, one, 'echo hello')).toBe('hello');
      await hands.reap(0, async () => true);
      await hands.refill(0, signal);
      await hands.release(one);
      const refused = [
        cluster.core.listNamespacedSecret({ namespace }),
        cluster.core.listNamespacedPod({ namespace: elsewhere }),
        cluster.core.readNamespacedPodLog({ namespace, name: ref.id, container: 'shell' }),
        cluster.core.connectGetNamespacedPodExec({ namespace, name: ref.id, command: 'id', container: 'shell' }),
        cluster.core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'x' } } }),
        cluster.core.listNode(),
      ];
      const answers = await Promise.all(refused.map((answer) => answer.then(() => 'allowed', statusOf)));
      expect(answers).toEqual(refused.map(() => 403));
    } finally {
      await orMissing(rbac.deleteNamespacedRoleBinding({ namespace, name: elsewhere }));
      await cluster.close();
    }
  }, 120_000);
});
