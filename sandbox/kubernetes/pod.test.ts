import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import type { SandboxSpec } from '../hands.ts';
import { type Target, TargetRefusedError } from '../targets.ts';
import { pooledPod, sandboxPod, templateOf } from './pod.ts';

const GIB = 1024 ** 3;
const TARGETS = new Map<string, Target>([
  ['placed', { nodeSelector: { pool: 'gpu' }, tolerations: [{ key: 'gpu', operator: 'Exists' }] }],
  ['gpu', { resources: { 'nvidia.com/gpu': 2 } }],
  ['big', { limits: { memoryBytes: 64 * GIB, cpus: 16, diskBytes: 200 * GIB, pids: 4096 } }],
  ['own', { image: 'registry.example/own:1', images: ['registry.example/own:2'] }],
  ['routed', { queue: 'hands.gpu' }],
]);
const OPTIONS = {
  namespace: 'sandboxes',
  image: 'registry.example/sandbox:1',
  runtimeClass: 'gvisor',
  key: Buffer.alloc(32, 1),
  targets: TARGETS,
};
const SPEC: SandboxSpec = { sessionId: 'sesn_1', generation: 1 };

/** What a target may change; everything else of a pod keeps it closed, or is the same for all. */
function withoutKnobs(pod: V1Pod): object {
  const { nodeSelector: _n, tolerations: _t, volumes = [], containers = [], ...spec } = pod.spec ?? { containers: [] };
  return {
    ...pod,
    spec: {
      ...spec,
      volumes: volumes.map(({ emptyDir, ...rest }) => ({ ...rest, sized: emptyDir?.sizeLimit !== undefined })),
      containers: containers.map(({ image: _i, resources: _r, env, ...rest }) => ({
        ...rest,
        env: env?.map(({ name, value = '' }) => [name, name === 'LONGHAND_SERVER' ? withoutLimits(value) : value]),
      })),
    },
  };
}

function withoutLimits(config: string): object {
  return { ...JSON.parse(config), memoryBytes: 0, pids: 0, inodes: 0, checkpoint: 0 };
}

const ordinary = sandboxPod(OPTIONS, SPEC, undefined);

describe.each([...TARGETS.keys()])('a pod of the target %s', (target) => {
  const pod = sandboxPod(OPTIONS, { ...SPEC, target }, undefined);

  test('is as closed as an ordinary one', () => {
    expect(withoutKnobs(pod)).toEqual(withoutKnobs(ordinary));
  });

  test('limits what Kubernetes limits, and sets aside no less of what is counted whole', () => {
    for (const { name, resources } of pod.spec?.containers ?? []) {
      expect(Object.keys(resources?.limits ?? {})).toEqual(
        expect.arrayContaining(['cpu', 'memory', 'ephemeral-storage']),
      );
      const gpus = target === 'gpu' && name === 'shell' ? '2' : undefined;
      expect([resources?.limits?.['nvidia.com/gpu'], resources?.requests?.['nvidia.com/gpu']]).toEqual([gpus, gpus]);
    }
  });
});

test('a target gets what the operator says of it', () => {
  const made = (target: string, image?: string) => sandboxPod(OPTIONS, { ...SPEC, target, image }, undefined).spec;
  expect(made('placed')).toMatchObject({
    nodeSelector: { pool: 'gpu' },
    tolerations: [{ key: 'gpu', operator: 'Exists' }],
  });
  expect(images(made('own'))).toEqual(['registry.example/own:1', 'registry.example/own:1']);
  expect(images(made('own', 'registry.example/own:2'))).toEqual(['registry.example/own:2', 'registry.example/own:2']);
  const big = made('big');
  expect(big?.containers[1]?.resources?.limits).toMatchObject({
    cpu: '16',
    memory: String(64 * GIB + 192 * 1024 ** 2),
    'ephemeral-storage': String(200 * GIB + 256 * 1024 ** 2),
  });
  expect(big?.volumes?.find(({ name }) => name === 'workspace')?.emptyDir?.sizeLimit).toBe(String(200 * GIB));
  // What the supervisor keeps grows with it.
  expect(Number(big?.containers[0]?.resources?.limits?.['ephemeral-storage'])).toBeGreaterThan(300 * GIB);
});

test('`default` changes the ordinary pod, and nobody needs to name it', () => {
  const targets = new Map<string, Target>([['default', { nodeSelector: { pool: 'sandboxes' } }]]);
  const pods = [undefined, 'default'].map((target) =>
    sandboxPod({ ...OPTIONS, targets }, { ...SPEC, target }, undefined),
  );
  for (const pod of pods) expect(pod.spec?.nodeSelector).toEqual({ pool: 'sandboxes' });
  expect(pooledPod({ ...OPTIONS, targets }, 'lh-pool-1', 'default').spec?.nodeSelector).toEqual({ pool: 'sandboxes' });
});

test.each([
  ['a target that is not there', { target: 'huge' }, /no target "huge".*default, placed/],
  ['the name of something else', { target: 'constructor' }, /no target "constructor"/],
  ['an image of no list', { image: 'registry.example/own:1' }, /"default".*does not allow the image.*allows none/],
  ['an image of another target', { target: 'big', image: 'registry.example/own:1' }, /"big".*does not allow/],
  ['an image that only begins alike', { target: 'own', image: 'registry.example/own:12' }, /allows .*own:1, .*own:2/],
])('no pod is made for %s', (_name, asked, message) => {
  const make = () => sandboxPod(OPTIONS, { ...SPEC, ...asked }, undefined);
  expect(make).toThrow(TargetRefusedError);
  expect(make).toThrow(message);
});

test('pods of the pool are for sandboxes that would be made of the same, and for no others', () => {
  const template = templateOf(OPTIONS);
  expect(templateOf(OPTIONS, { target: 'default' })).toBe(template);
  expect(templateOf(OPTIONS, { target: 'routed' })).toBe(template);
  const others = ['placed', 'gpu', 'big', 'own'].map((target) => templateOf(OPTIONS, { target }));
  others.push(templateOf(OPTIONS, { target: 'own', image: 'registry.example/own:2' }));
  expect(new Set([template, ...others]).size).toBe(6);
  // Targets that nobody uses do not make the pool outdated.
  expect(templateOf({ ...OPTIONS, targets: undefined })).toBe(template);
});

function images(spec: V1Pod['spec']): (string | undefined)[] {
  return spec?.containers.map(({ image }) => image) ?? [];
}
