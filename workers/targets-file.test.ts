import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sessionDefaults } from './session-defaults.ts';
import { readSettings, SettingsError } from './settings.ts';
import { settingsPage } from './settings-page.ts';
import { loadServedTargets, loadTargets } from './targets-file.ts';

const GIB = 1024 ** 3;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhand-targets-'));
});
afterAll(async () => await rm(folder, { recursive: true }));

async function file(content: string): Promise<string> {
  const path = join(folder, 'targets.yaml');
  await writeFile(path, content);
  return path;
}

test('the example of docs/settings.md is a targets file, and means what it says', async () => {
  const [, example = ''] = /## The targets file[\s\S]*?```yaml\n([\s\S]*?)```/.exec(settingsPage()) ?? [];
  const targets = await loadTargets(await file(example));
  expect([...(targets ?? [])]).toEqual([
    ['default', { limits: { memoryBytes: 4 * GIB } }],
    [
      'gpu',
      {
        queue: 'hands.gpu',
        limits: { cpus: 8, memoryBytes: 32 * GIB, diskBytes: 100 * GIB, pids: 2048 },
        nodeSelector: { 'example.com/pool': 'gpu' },
        tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
        resources: { 'nvidia.com/gpu': 1 },
        image: 'registry.example/longhand-sandbox-cuda:1',
        images: ['registry.example/longhand-sandbox-cuda:2'],
        warmPool: 1,
      },
    ],
  ]);
  const served = sessionDefaults(readSettings({}), targets);
  expect(served.handsQueue).toBe('hands');
  expect(served.targets?.get('gpu')).toEqual({
    handsQueue: 'hands.gpu',
    images: ['registry.example/longhand-sandbox-cuda:1', 'registry.example/longhand-sandbox-cuda:2'],
  });
});

test('JSON will do, bytes may be numbers, and an empty target is the ordinary one under another name', async () => {
  const targets = await loadTargets(
    await file('{"big": {"limits": {"memory": 1073741824, "disk": "1.5Gi"}}, "same": {}}'),
  );
  expect([...(targets ?? [])]).toEqual([
    ['big', { limits: { memoryBytes: GIB, diskBytes: 1.5 * GIB } }],
    ['same', {}],
  ]);
});

test('without the variable there are no targets', async () => {
  expect(await loadTargets(undefined)).toBeUndefined();
  expect(sessionDefaults(readSettings({}))).not.toHaveProperty('targets');
});

test.each([
  ['no mapping', '[a]', /expected record/],
  ['an empty file', '', /expected record/],
  ['what is not YAML', 'a: [', /cannot be read as YAML or JSON/],
  ['the same name twice', 'a: {}\na: {}', /cannot be read as YAML or JSON/],
  ['a name that is none', 'GPU: {}', /at GPU/],
  ['a long name', `${'x'.repeat(41)}: {}`, /at x{41}/],
  ['an unknown member', 'a: { nodeselector: {} }', /"nodeselector"[\s\S]*at a$/m],
  ['an unknown limit', 'a: { limits: { ram: 1Gi } }', /"ram"[\s\S]*at a\.limits/],
  ['a queue of others', 'a: { queue: brain }', /hands\.gpu[\s\S]*at a\.queue/],
  ['the queue of a machine', 'a: { queue: "hands@m" }', /at a\.queue/],
  ['a selector that is not text', 'a: { nodeSelector: { gpu: true } }', /at a\.nodeSelector\.gpu/],
  ['a selector with a blank', 'a: { nodeSelector: { gpu: "a b" } }', /at a\.nodeSelector\.gpu/],
  ['a toleration without key and operator', 'a: { tolerations: [{ effect: NoSchedule }] }', /at a\.tolerations\[0\]/],
  [
    'a toleration that exists with a value',
    'a: { tolerations: [{ key: k, operator: Exists, value: v }] }',
    /tolerations/,
  ],
  ['an unknown effect', 'a: { tolerations: [{ key: k, effect: Never }] }', /at a\.tolerations\[0\]\.effect/],
  ['a unit that is none', 'a: { limits: { memory: 8GB } }', /such as 8Gi[\s\S]*at a\.limits\.memory/],
  ['too little memory', 'a: { limits: { memory: 1Mi } }', /from 64Mi[\s\S]*at a\.limits\.memory/],
  ['an endless disk', 'a: { limits: { disk: .inf } }', /at a\.limits\.disk/],
  ['no processor', 'a: { limits: { cpus: 0 } }', /at a\.limits\.cpus/],
  ['a finer processor', 'a: { limits: { cpus: 0.0125 } }', /three decimals[\s\S]*at a\.limits\.cpus/],
  ['memory as a resource', 'a: { resources: { memory: 8 } }', /at a\.resources\.memory/],
  ['a resource of Kubernetes', 'a: { resources: { kubernetes.io/x: 1 } }', /at a\.resources/],
  ['half a GPU', 'a: { resources: { nvidia.com/gpu: 0.5 } }', /at a\.resources\["nvidia\.com\/gpu"\]/],
  ['half a ready sandbox', 'a: { warmPool: 0.5 }', /at a\.warmPool/],
  ['a pool of ordinary sandboxes', 'default: { warmPool: 1 }', /LONGHAND_WARM_POOL[\s\S]*at default\.warmPool/],
  ['an image with a blank', 'a: { image: "x y" }', /at a\.image/],
  ['an image in the list', 'a: { images: ["https://x/y"] , image: "-x" }', /at a\.image/],
])('a file with %s is refused, with its place', async (_name, content, place) => {
  const path = await file(content);
  const refused = loadTargets(path);
  await expect(refused).rejects.toThrow(SettingsError);
  await expect(refused).rejects.toThrow(place);
  await expect(refused).rejects.toThrow(`LONGHAND_TARGETS is "${path}"`);
});

test('a file that is not there is named', async () => {
  await expect(loadTargets(join(folder, 'none'))).rejects.toThrow(/LONGHAND_TARGETS is .*none.*cannot be read/);
});

test('hands without Kubernetes do not start for a target that needs it, unless other workers have its queue', async () => {
  const served = async (content: string, env: NodeJS.ProcessEnv = {}) =>
    await loadServedTargets(readSettings({ LONGHAND_TARGETS: await file(content), ...env }));
  await expect(served('a: { image: x }')).rejects.toThrow(
    /target "a" has image, which needs LONGHAND_SANDBOX=kubernetes/,
  );
  await expect(served('a: { warmPool: 1 }')).rejects.toThrow(/"a" has warmPool/);
  await expect(
    served('a: { resources: { x.y/z: 1 }, queue: hands.a }', { LONGHAND_HANDS_QUEUE: 'hands.a' }),
  ).rejects.toThrow(/resources/);
  await expect(
    served('default: { queue: hands.a }\nb: { images: [x] }', { LONGHAND_HANDS_QUEUE: 'hands.a' }),
  ).rejects.toThrow(/"b" has images/);
  await expect(served('a: { image: x, queue: hands.a }')).resolves.toHaveProperty('size', 1);
  await expect(served('a: { limits: { memory: 4Gi } }')).resolves.toHaveProperty('size', 1);
  await expect(served('a: { image: x }', { LONGHAND_SANDBOX: 'kubernetes' })).resolves.toHaveProperty('size', 1);
});

test('a queue that is none of hands is refused', () => {
  expect(() => readSettings({ LONGHAND_HANDS_QUEUE: 'brain' })).toThrow(/LONGHAND_HANDS_QUEUE is "brain". Give hands/);
  expect(readSettings({ LONGHAND_HANDS_QUEUE: 'hands.gpu' }).LONGHAND_HANDS_QUEUE).toBe('hands.gpu');
});
