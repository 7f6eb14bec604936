/** What the chart promises, read from the objects that it renders. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { assertOnlyOwnSecrets } from '../../workers/own-settings.ts';
import { type ProcessName, readSettings, SETTINGS, type SettingName } from '../../workers/settings.ts';
import { loadTargets } from '../../workers/targets-file.ts';
import { temporalTarget } from '../../workers/temporal-connection.ts';
import {
  CHART,
  type Container,
  decode,
  FULL,
  helm,
  type KubernetesObject,
  LEAST,
  pods,
  RELEASE_NAMESPACE,
  selects,
  template,
} from './testing/render.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PARTS: ProcessName[] = ['api', 'brain', 'hands'];
const OBTAIN_MS = 900_000;

const rendered = new Map<string, KubernetesObject[]>();
beforeAll(async () => {
  for (const values of [LEAST, FULL]) rendered.set(values, await decode(await template(values)));
}, OBTAIN_MS);

function objects(values: string): KubernetesObject[] {
  return rendered.get(values) ?? [];
}

function named(values: string, kind: string, name: string): KubernetesObject {
  const found = objects(values).find((object) => object.kind === kind && object.metadata.name === name);
  if (!found) throw new Error(`The chart has no ${kind} "${name}".`);
  return found;
}

function container(values: string, part: string): Container {
  const pod = pods(objects(values)).find(({ name }) => name === `longhand-${part}`);
  const [first] = pod?.spec.containers ?? [];
  if (!first) throw new Error(`The chart has no part "${part}".`);
  return first;
}

/** A part's environment, secrets replaced by values of their form. */
function environment({ env = [] }: Container): Record<string, string> {
  const forms: Record<string, string> = {
    DATABASE_URL: 'postgres://u:p@db/longhand',
    LONGHAND_API_KEY: `lh-${'k'.repeat(40)}`,
    LONGHAND_SANDBOX_KEY: 's'.repeat(40),
    MODEL_HEADERS: '{"x-team":"blue"}',
  };
  return Object.fromEntries(env.map(({ name, value }) => [name, value ?? forms[name] ?? 'secret']));
}

test(
  'helm lint finds nothing, for the least values and for all of them',
  async () => {
    for (const values of [LEAST, FULL]) {
      expect(await helm('lint', '--strict', '--values', values, CHART)).toContain('0 chart(s) failed');
    }
  },
  OBTAIN_MS,
);

test('the decoder refuses an unknown field, a wrong type and an unknown kind', async () => {
  const pod = 'apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [], %s}\n';
  await expect(decode(pod.replace('%s', 'hostNetwrok: true'))).rejects.toThrow(/Pod x.*unknown field.*hostNetwrok/);
  await expect(decode(pod.replace('%s', 'hostNetwork: "yes"'))).rejects.toThrow(/Pod x.*hostNetwork/);
  await expect(decode('apiVersion: v1\nkind: Pood\nmetadata: {name: x}\n')).rejects.toThrow(/Pood x.*no kind/);
});

describe.each([
  ['the least values', LEAST],
  ['all values', FULL],
])('with %s', (_name, values) => {
  test('each part has only settings that it reads, starts with them, and has no secret of another', () => {
    for (const part of PARTS) {
      const env = environment(container(values, part));
      for (const name of Object.keys(env)) {
        const known = SETTINGS[name as SettingName]?.readBy.includes(part);
        expect(known || /^(TEMPORAL|AWS)_|^(HOME|XDG_CACHE_HOME)$/.test(name), `${part}: ${name}`).toBe(true);
      }
      expect(() => assertOnlyOwnSecrets(part, env)).not.toThrow();
      expect(readSettings(env)).toMatchObject({ LONGHAND_READY_FILE: '/run/longhand/ready' });
      // Certificates are read where they are named; here they are nowhere.
      const named = Object.entries(env).filter(([name]) => !/^TEMPORAL_TLS_.*_PATH$/.test(name));
      expect(temporalTarget(Object.fromEntries(named))?.address).toMatch(/:7233$/);
    }
  });

  test('the hands have no model key and no database, the brain no key of the api, and nobody a vault key', () => {
    const names = (part: string) => Object.keys(environment(container(values, part)));
    expect(names('hands').filter((name) => /DATABASE|MODEL|LONGHAND_API_KEY|VAULT/.test(name))).toEqual([]);
    expect(names('brain').filter((name) => /LONGHAND_API_KEY|SANDBOX_KEY|KUBE|VAULT/.test(name))).toEqual([]);
    expect(names('api').filter((name) => /MODEL_|SANDBOX_KEY|KUBE|VAULT/.test(name))).toEqual([]);
    expect(names('setup').filter((name) => /MODEL_|_API_KEY|SANDBOX|VAULT/.test(name))).toEqual(
      values === FULL ? ['TEMPORAL_API_KEY'] : [],
    );
    expect(names('brain')).toContain('MODEL_API_KEY');
  });

  test('no secret is made here or stands in a value: each comes by reference', () => {
    expect(objects(values).filter(({ kind }) => kind === 'Secret')).toEqual([]);
    for (const { name, spec } of pods(objects(values))) {
      for (const { env = [], envFrom = [] } of spec.containers) {
        expect(envFrom, name).toEqual([]);
        for (const { name: variable, value, valueFrom } of env) {
          if (!/KEY|SECRET|PASSWORD|TOKEN|DATABASE_URL|HEADERS/.test(variable) || /_PATH$/.test(variable)) continue;
          expect(value, `${name}: ${variable}`).toBeUndefined();
          expect(valueFrom?.secretKeyRef?.name, `${name}: ${variable}`).toMatch(/^longhand-/);
        }
      }
    }
  });

  test('every container runs as somebody else than root, on a read-only root, without privileges', () => {
    expect(
      pods(objects(values))
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['api', 'brain', 'hands', 'setup', 'test'].map((part) => `longhand-${part}`));
    for (const { name, spec } of pods(objects(values))) {
      expect(spec.securityContext, name).toMatchObject({
        runAsNonRoot: true,
        runAsUser: values === FULL ? 10_001 : 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec).toMatchObject({ enableServiceLinks: false });
      for (const one of ['hostNetwork', 'hostPID', 'hostIPC']) expect(spec, name).not.toHaveProperty(one);
      expect(spec.volumes?.filter(({ hostPath }) => hostPath) ?? []).toEqual([]);
      for (const { securityContext, resources } of [...spec.containers, ...(spec.initContainers ?? [])]) {
        expect(securityContext, name).toEqual({
          runAsNonRoot: true,
          privileged: false,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(Object.keys({ ...resources?.requests, ...resources?.limits })).toEqual(['cpu', 'memory']);
      }
    }
  });

  test('only the hands may do anything at the API server, and only in the namespace of the sandboxes', () => {
    const sandboxes = values === FULL ? 'agents' : 'longhand-sandboxes';
    expect(objects(values).filter(({ kind }) => /^ClusterRole/.test(kind))).toEqual([]);
    const roles = objects(values).filter(({ kind }) => kind === 'Role');
    expect(roles.map(({ metadata }) => [metadata.name, metadata.namespace])).toEqual([['longhand-hands', sandboxes]]);
    const [binding, ...more] = objects(values).filter(({ kind }) => kind === 'RoleBinding');
    expect(more).toEqual([]);
    expect(binding).toMatchObject({
      metadata: { namespace: sandboxes },
      roleRef: { kind: 'Role', name: 'longhand-hands' },
      subjects: [{ kind: 'ServiceAccount', name: 'longhand-hands', namespace: RELEASE_NAMESPACE }],
    });
    const accounts = pods(objects(values)).map(({ spec }) => spec.serviceAccountName);
    expect(accounts.filter((name) => name !== undefined).sort()).toEqual([
      'longhand-api',
      'longhand-brain',
      'longhand-hands',
      'longhand-setup',
    ]);
    for (const { name, spec } of pods(objects(values))) {
      expect(spec.automountServiceAccountToken, name).toBe(name === 'longhand-hands');
    }
  });

  test('the hands may do exactly what the provider asks for', () => {
    const rules = named(values, 'Role', 'longhand-hands').rules ?? [];
    const allowed = rules.flatMap(({ resources, verbs }) =>
      resources.flatMap((of) => verbs.map((verb) => `${verb} ${of}`)),
    );
    expect(allowed.sort()).toEqual(verbsOfProvider());
  });

  test('every pod of the release is under a policy that closes both directions', () => {
    const policies = objects(values).filter(({ kind }) => kind === 'NetworkPolicy');
    const own = policies.filter(({ metadata }) => metadata.namespace === RELEASE_NAMESPACE);
    const deny = own.filter(
      ({ spec }) => spec?.policyTypes?.length === 2 && spec.ingress === undefined && spec.egress === undefined,
    );
    for (const { name, labels } of pods(objects(values))) {
      expect(
        deny.some(({ spec }) => selects(spec?.podSelector ?? {}, labels)),
        name,
      ).toBe(true);
    }
    // The set-up runs before the others are there: its own policy is there before it.
    const setup = named(values, 'NetworkPolicy', 'longhand-setup');
    expect(setup.spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
    expect(setup.metadata.annotations).toMatchObject({
      'helm.sh/hook': 'pre-install,pre-upgrade',
      'helm.sh/hook-weight': '-1',
    });
    for (const { spec, metadata } of policies) {
      for (const rule of [...(spec?.ingress ?? []), ...(spec?.egress ?? [])]) {
        expect((rule.from ?? rule.to ?? []).length, `${metadata.name}: an empty list means everybody`).toBeGreaterThan(
          0,
        );
        expect(rule.ports?.length, metadata.name).toBeGreaterThan(0);
      }
    }
  });

  test('each part reaches what it works with, and nothing else', () => {
    const ports = (part: string) => {
      const { egress = [] } = named(values, 'NetworkPolicy', `longhand-${part}`).spec ?? {};
      return [...new Set(egress.flatMap((rule) => rule.ports?.map(({ port }) => Number(port)) ?? []))].sort(
        (a, b) => a - b,
      );
    };
    const full = values === FULL;
    const dns = full ? [53, 5353] : [53];
    const database = full ? 6432 : 5432;
    const bucket = full ? [443] : [];
    const sorted = (list: number[]) => [...new Set(list)].sort((a, b) => a - b);
    expect(ports('api')).toEqual(sorted([...dns, database, 7233, ...bucket]));
    expect(ports('brain')).toEqual(sorted([...dns, database, 7233, ...bucket, ...(full ? [443, 8443] : [443])]));
    expect(ports('hands')).toEqual(sorted([...dns, 7233, 8374, ...bucket, ...(full ? [6443] : [443, 6443])]));
    expect(ports('setup')).toEqual(sorted([...dns, database, 7233]));
    for (const part of ['brain', 'hands', 'setup']) {
      expect(named(values, 'NetworkPolicy', `longhand-${part}`).spec?.ingress, part).toBeUndefined();
    }
  });

  test('sandboxes let in the hands of this release alone, and let nothing out', () => {
    const namespace = values === FULL ? 'agents' : 'longhand-sandboxes';
    const policies = objects(values).filter(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.namespace === namespace,
    );
    const everything = policies.find(({ spec }) => spec?.podSelector?.matchLabels === undefined);
    expect(everything?.spec?.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(policies.flatMap(({ spec }) => spec?.egress ?? [])).toEqual([]);
    const ways = policies.flatMap(({ spec }) => spec?.ingress ?? []);
    expect(ways.flatMap(({ ports = [] }) => ports)).toEqual([{ port: 8374, protocol: 'TCP' }]);
    const [peer, ...others] = ways.flatMap(({ from = [] }) => from);
    expect(others).toEqual([]);
    expect(peer?.namespaceSelector?.matchLabels).toEqual({ 'kubernetes.io/metadata.name': RELEASE_NAMESPACE });
    const reached = pods(objects(values)).filter(({ labels }) => selects(peer?.podSelector ?? {}, labels));
    expect(reached.map(({ name }) => name)).toEqual(['longhand-hands']);
  });

  test('the sandboxes’ namespace is what the plain manifests make, under this release’s names', async () => {
    const folder = join(ROOT, 'k8s/sandboxes');
    const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const plain = await decode(files.join('\n---\n'));
    const namespace = values === FULL ? 'agents' : 'longhand-sandboxes';
    const made = objects(values).filter(
      ({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === 'sandboxes',
    );
    expect(
      made
        .map(({ kind }) => kind)
        .filter((kind) => kind !== 'RuntimeClass')
        .sort(),
    ).toEqual(plain.map(({ kind }) => kind).sort());
    const spec = (list: KubernetesObject[], wanted: string) => list.find(({ kind }) => kind === wanted)?.spec;
    for (const kind of ['ValidatingAdmissionPolicy', 'LimitRange']) expect(spec(made, kind)).toEqual(spec(plain, kind));
    const labels = (list: KubernetesObject[]) => list.find(({ kind }) => kind === 'Namespace')?.metadata.labels;
    // The binding of the plain manifests, if they are on the same cluster, goes by this one.
    const { 'longhand/sandboxes': plainOnly, ...security } = labels(plain) ?? {};
    expect([plainOnly, Object.keys(security).length]).toEqual(['true', 4]);
    expect(labels(made)).toMatchObject(security);
    expect(labels(made)).not.toHaveProperty('longhand/sandboxes');
    expect(labels(made)?.['pod-security.kubernetes.io/enforce-version']).toMatch(/^v1\.\d+$/);
    expect(spec(made, 'ResourceQuota')?.hard).toEqual({
      ...spec(plain, 'ResourceQuota')?.hard,
      ...(values === FULL ? { pods: '500', 'limits.cpu': '1500' } : {}),
    });
    expect(spec(made, 'ValidatingAdmissionPolicyBinding')).toMatchObject({
      policyName: `longhand-sandbox-pods-${namespace}`,
      validationActions: ['Deny'],
      paramRef: { name: 'sandbox-rules', namespace, parameterNotFoundAction: 'Deny' },
      matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } },
    });
    expect(made.find(({ kind }) => kind === 'ConfigMap')?.data).toEqual(
      values === FULL
        ? {
            'runtime-class': 'runsc',
            'image-prefix': 'registry.example:5000/longhand-,registry.example:5000/team/',
          }
        : { 'runtime-class': 'gvisor', 'image-prefix': 'registry.example/longhand-sandbox' },
    );
    const image = environment(container(values, 'hands')).LONGHAND_SANDBOX_IMAGE;
    expect(
      image?.startsWith(values === FULL ? 'registry.example:5000/longhand-' : 'registry.example/longhand-sandbox'),
    ).toBe(true);
  });

  test('each part has probes, a budget for disruptions, and as many replicas as it is told', () => {
    for (const part of PARTS) {
      const name = `longhand-${part}`;
      const { startupProbe, readinessProbe, livenessProbe } = container(values, part);
      for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
        expect(probe?.exec?.command.join(' '), part).toContain('/run/longhand/ready');
      }
      expect(named(values, 'PodDisruptionBudget', name).spec?.maxUnavailable).toBe(1);
      const { replicas } = named(values, 'Deployment', name).spec ?? {};
      const scaler = objects(values).find(({ kind, metadata }) => /Autoscaler/.test(kind) && metadata.name === name);
      expect([replicas, scaler?.spec?.scaleTargetRef?.name]).toEqual(
        values === FULL ? [undefined, name] : [2, undefined],
      );
    }
  });

  test('every volume that is mounted is there, and everything that is written to is one', () => {
    for (const { name, spec } of pods(objects(values))) {
      const volumes = (spec.volumes ?? []).map((volume) => volume.name);
      const mounts = spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
      expect([...new Set(mounts.map((mount) => mount.name))].sort(), name).toEqual(volumes.sort());
    }
    for (const part of PARTS) {
      const writable = container(values, part).volumeMounts?.filter(({ readOnly }) => !readOnly) ?? [];
      const paths = ['/run/longhand', '/srv/longhand/home', '/tmp'];
      expect(writable.map(({ mountPath }) => mountPath).sort()).toEqual(
        values === FULL ? paths : [...paths, '/srv/longhand/blobs'].sort(),
      );
    }
  });
});

test('targets are read by every part as the file that their own code takes, and their images are admitted', async () => {
  const file = named(FULL, 'ConfigMap', 'longhand-targets').data?.['targets.yaml'] ?? '';
  const folder = await mkdtemp(join(tmpdir(), 'longhand-chart-'));
  try {
    await writeFile(join(folder, 'targets.yaml'), file);
    const targets = await loadTargets(join(folder, 'targets.yaml'));
    expect(targets?.get('gpu')).toMatchObject({ queue: 'hands.gpu', resources: { 'nvidia.com/gpu': 1 } });
  } finally {
    await rm(folder, { recursive: true });
  }
  for (const part of PARTS) {
    expect(environment(container(FULL, part)).LONGHAND_TARGETS).toBe('/etc/longhand/targets/targets.yaml');
    expect(container(FULL, part).volumeMounts).toContainEqual({
      name: 'targets',
      mountPath: '/etc/longhand/targets',
      readOnly: true,
    });
    expect(environment(container(LEAST, part))).not.toHaveProperty('LONGHAND_TARGETS');
  }
  const made = await decode(
    await template(
      LEAST,
      '--set',
      'sandboxes.targets.a.image=team.example/cuda@sha256:1,sandboxes.targets.b.image=x/y:2',
    ),
  );
  const rules = made.find(({ metadata }) => metadata.name === 'sandbox-rules');
  expect(rules?.data?.['image-prefix']).toBe('registry.example/longhand-sandbox,team.example/cuda,x/y');
});

/** `verb resource` of every call that the provider makes, by the names of the client's methods. */
function verbsOfProvider(): string[] {
  const folder = join(ROOT, 'sandbox/kubernetes');
  const code = readdirSync(folder)
    .filter((name) => /\.ts$/.test(name) && !/test/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  const verbs: Record<string, string> = { read: 'get', replace: 'update' };
  const resources: Record<string, string> = { Pod: 'pods', Lease: 'leases' };
  const calls = [...code.matchAll(/\.([a-z]+)(Collection)?Namespaced([A-Z][A-Za-z]+)\(/g)].map(
    ([, verb = '', collection = '', of = '']) => `${verbs[verb] ?? verb}${collection} ${resources[of] ?? of}`,
  );
  if (/new Watch\(/.test(code)) calls.push('watch pods');
  return [...new Set(calls)].sort();
}
