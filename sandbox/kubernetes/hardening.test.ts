/** Every field that keeps a sandbox closed, read back from the cluster; and that the cluster refuses pods without them. */
import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signal } from '../contract.ts';
import type { SandboxRef } from '../hands.ts';
import { orMissing, wordsOf } from './cluster.ts';
import { sandboxPod } from './pod.ts';
import { clusterMissing, type KubernetesSubject, openTestHands } from './testing.ts';

const missing = clusterMissing();

describe.skipIf(missing)(`pods of sandboxes${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let subject: KubernetesSubject;
  let ref: SandboxRef;
  let pod: V1Pod;
  beforeAll(async () => {
    subject = await openTestHands({ requestShare: 0.05 });
    ref = await subject.hands.provision({ sessionId: 'hardening', generation: 1, skills: true }, signal);
    pod = await subject.cluster.core.readNamespacedPod({ namespace: subject.options.namespace, name: ref.id });
  }, 60_000);
  afterAll(async () => await subject?.dispose(), 60_000);

  const container = (name: string) => pod.spec?.containers.find((one) => one.name === name);
  const mounts = (one?: V1Container) =>
    Object.fromEntries((one?.volumeMounts ?? []).map(({ name, readOnly }) => [name, readOnly ? 'ro' : 'rw']));

  test('say every field of the pod that keeps it closed', () => {
    expect(pod.spec).toMatchObject({
      runtimeClassName: 'gvisor',
      automountServiceAccountToken: false,
      serviceAccountName: 'default',
      enableServiceLinks: false,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 1,
      activeDeadlineSeconds: 86_400,
      dnsPolicy: 'None',
      dnsConfig: { nameservers: ['127.0.0.1'] },
      hostname: 'sandbox',
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    // False is left out by the API server.
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const) {
      expect(pod.spec?.[field] ?? false).toBe(false);
    }
    expect(pod.spec?.initContainers ?? []).toEqual([]);
    expect(pod.spec?.containers.map(({ name }) => name)).toEqual(['supervisor', 'shell']);
    for (const volume of pod.spec?.volumes ?? []) {
      expect(Object.keys(volume).sort()).toEqual(['emptyDir', 'name']);
      expect(volume.emptyDir?.sizeLimit).toBeTruthy();
    }
  });

  test.each([
    ['supervisor', 1001],
    ['shell', 1000],
  ])('say every field of the container %s', (name, uid) => {
    const one = container(name);
    expect(one?.securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: uid,
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(Object.keys(one?.resources?.limits ?? {}).sort()).toEqual(['cpu', 'ephemeral-storage', 'memory']);
    expect(Object.keys(one?.resources?.requests ?? {}).sort()).toEqual(['cpu', 'ephemeral-storage', 'memory']);
    expect(one?.envFrom).toBeUndefined();
    for (const variable of one?.env ?? []) expect(variable.valueFrom).toBeUndefined();
    for (const port of one?.ports ?? []) expect(port.hostPort).toBeUndefined();
  });

  test('ask for all that they may use, so that a node promises nothing twice', () => {
    const whole = sandboxPod(
      { ...subject.options, requestShare: undefined },
      { sessionId: 'x', generation: 1 },
      undefined,
    );
    for (const { resources } of whole.spec?.containers ?? []) {
      const millis = (cpu = '') => (cpu.endsWith('m') ? Number.parseInt(cpu, 10) : Number(cpu) * 1_000);
      expect(millis(resources?.requests?.cpu)).toBe(millis(resources?.limits?.cpu));
      expect(resources?.requests?.memory).toBe(resources?.limits?.memory);
    }
  });

  test('show the shell nothing of the supervisor that it could change, and no journal', () => {
    expect(mounts(container('shell'))).toEqual({
      ...{ uploads: 'ro', skills: 'ro', 'kept-output': 'ro' },
      ...{ run: 'rw', workspace: 'rw', home: 'rw', outputs: 'rw', tmp: 'rw', 'var-tmp': 'rw' },
    });
    expect(Object.keys(mounts(container('supervisor')))).not.toContain('workspace');
  });

  test('know the SHA-256 of their token, and not the token', async () => {
    const { podKeys } = await import('./names.ts');
    const { token, tokenSha256 } = podKeys(subject.options.key, ref.id);
    const text = JSON.stringify(pod);
    expect(text).toContain(tokenSha256);
    expect(text).not.toContain(token);
    expect(text).not.toContain(subject.options.key.toString('hex'));
    expect(JSON.stringify(container('shell')?.env)).not.toContain(tokenSha256);
  });

  describe('are refused by the cluster', () => {
    type Change = (pod: V1Pod, shell: V1Container) => void;
    const cases: [string, Change, RegExp][] = [
      ['under another runtime', (p) => delete p.spec?.runtimeClassName, /runs under the runtime class gvisor/],
      [
        'with a service account token',
        (p) => set(p.spec, { automountServiceAccountToken: true }),
        /no service account token/,
      ],
      ['with another service account', (p) => set(p.spec, { serviceAccountName: 'builder' }), /service account/],
      ['on the network of the node', (p) => set(p.spec, { hostNetwork: true }), /namespace|host/i],
      ['seeing the processes of the node', (p) => set(p.spec, { hostPID: true }), /namespace|host/i],
      [
        'sharing processes between containers',
        (p) => set(p.spec, { shareProcessNamespace: true }),
        /processes between/,
      ],
      ['asking the DNS of the cluster', (p) => set(p.spec, { dnsPolicy: 'ClusterFirst' }), /no DNS server/],
      ['that may live for ever', (p) => delete p.spec?.activeDeadlineSeconds, /activeDeadlineSeconds/],
      ['with service links', (p) => set(p.spec, { enableServiceLinks: true }), /no service links/],
      ['with a folder of the node', (p) => addVolume(p, { hostPath: { path: '/' } }), /emptyDir|hostPath/],
      ['with a secret', (p) => addVolume(p, { secret: { secretName: 'x' } }), /only emptyDir/],
      ['with a token by projection', (p) => addVolume(p, { projected: { sources: [] } }), /only emptyDir/],
      ['with a volume without limit', (p) => addVolume(p, { emptyDir: {} }), /sizeLimit/],
      ['with a variable from elsewhere', (_p, c) => addVariable(c), /plain text/],
      ['with a set of variables', (_p, c) => set(c, { envFrom: [{ secretRef: { name: 'x' } }] }), /plain text/],
      ['with a port of the node', (_p, c) => set(c, { ports: [{ containerPort: 1, hostPort: 1 }] }), /host ?port/i],
      ['with a writable root', (_p, c) => set(c.securityContext, { readOnlyRootFilesystem: false }), /read-only root/],
      ['as root', (_p, c) => set(c.securityContext, { runAsUser: 0, runAsNonRoot: false }), /restricted/],
      [
        'privileged',
        (_p, c) => set(c.securityContext, { privileged: true, allowPrivilegeEscalation: true }),
        /restricted/,
      ],
      ['with a capability', (_p, c) => set(c.securityContext, { capabilities: { add: ['NET_ADMIN'] } }), /restricted/],
      ['without seccomp', (_p, c) => set(c.securityContext, { seccompProfile: { type: 'Unconfined' } }), /restricted/],
      ['with another image', (_p, c) => set(c, { image: 'docker.io/library/debian' }), /image of a sandbox/],
      ['with a third container', (p, c) => p.spec?.containers.push({ ...c, name: 'third' }), /supervisor and shell/],
      ['with an init container', (p, c) => set(p.spec, { initContainers: [{ ...c, name: 'first' }] }), /no init/],
      ['whose shell sees the journal', (_p, c) => addMount(c, 'journal', '/journal'), /does not see the journal/],
      [
        'whose shell writes uploads',
        (_p, c) => set(mountOf(c, 'uploads'), { readOnly: false }),
        /supervisor's folders/,
      ],
      ['of one user', (_p, c) => set(c.securityContext, { runAsUser: 1001 }), /different users/],
      ['that do not say whose they are', (p) => set(p.metadata, { labels: {} }), /labels/],
    ];
    test.each(cases)('%s', async (_name, change, expected) => {
      const body = sandboxPod(subject.options, { sessionId: 'refused', generation: 1 }, undefined);
      const shell = body.spec?.containers[1];
      if (!shell) throw new Error('There is no shell.');
      change(body, shell);
      const { namespace } = subject.options;
      const words = await subject.cluster.core.createNamespacedPod({ namespace, body }).then(() => 'taken', wordsOf);
      await orMissing(subject.cluster.core.deleteNamespacedPod({ namespace, name: body.metadata?.name ?? '' }));
      expect(words).toMatch(expected);
    });

    test('but get the namespace’s limits where they have none', async () => {
      const body = sandboxPod(subject.options, { sessionId: 'unlimited', generation: 1 }, undefined);
      for (const { resources } of body.spec?.containers ?? []) set(resources, { limits: {}, requests: {} });
      const { namespace } = subject.options;
      const made = await subject.cluster.core.createNamespacedPod({ namespace, body, dryRun: 'All' });
      for (const { resources } of made.spec?.containers ?? []) {
        expect(Object.keys(resources?.limits ?? {}).sort()).toEqual(['cpu', 'ephemeral-storage', 'memory']);
      }
    });

    test('but not as they are made', async () => {
      const body = sandboxPod(subject.options, { sessionId: 'taken', generation: 1 }, undefined);
      const { namespace } = subject.options;
      await subject.cluster.core.createNamespacedPod({ namespace, body, dryRun: 'All' });
    });
  });
});

function set(target: object | undefined, change: object): void {
  Object.assign(target ?? {}, change);
}

function addVolume(pod: V1Pod, source: object): void {
  pod.spec?.volumes?.push({ name: 'more', ...source });
}

function addVariable(container: V1Container): void {
  container.env?.push({ name: 'MORE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } });
}

function addMount(container: V1Container, name: string, mountPath: string): void {
  container.volumeMounts?.push({ name, mountPath, readOnly: true });
}

function mountOf(container: V1Container, name: string): object | undefined {
  return container.volumeMounts?.find((one) => one.name === name);
}
