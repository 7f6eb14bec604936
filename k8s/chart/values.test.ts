/** What the chart takes as values, and what it refuses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { CHART, decode, LEAST, RELEASE_NAMESPACE, template } from './testing/render.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The first one may have to build Helm. */
const OBTAIN_MS = 900_000;

test.each<[string, string[], RegExp]>([
  ['the gate', ['gate.enabled=true'], /gate.*not built yet/],
  ['an image that is not named', ['image.repository='], /image\.repository/],
  ['a database that is not named', ['database.existingSecret='], /database\.existingSecret/],
  ['hands without a key', ['hands.existingSecret='], /hands\.existingSecret/],
  ['no blob store', ['blobStore.existingClaim='], /blobStore: give the url of a bucket/],
  ['two blob stores', ['blobStore.url=s3://b/p'], /only one of/],
  ['sandboxes beside the parts', [`sandboxes.namespace=${RELEASE_NAMESPACE}`], /holds nothing else/],
  ['an image prefix that the image has not', ['sandboxes.imagePrefix=other/'], /does not begin with other/],
  [
    'an image of a target that no prefix is for',
    ['sandboxes.imagePrefix=registry.example/longhand-', 'sandboxes.targets.a.images={other.example/x:1}'],
    /other\.example\/x:1 does not begin with registry\.example\/longhand-/,
  ],
  ['a pool of ordinary sandboxes as a target’s', ['sandboxes.targets.default.warmPool=1'], /default/],
  ['a member that targets have not', ['sandboxes.targets.a.ram=1Gi'], /targets.*ram/],
  ['a secret as a setting', ['settings.DATABASE_URL=postgres://u:p@h/d'], /settings/],
  ['a value that the chart does not know', ['brian.replicas=3'], /brian/],
  ['a way to everybody', ['network.database.to=null'], /network\.database/],
  ['root', ['user.uid=0'], /uid/],
  ['an ingress without TLS', ['api.ingress.enabled=true', 'api.ingress.host=x.example'], /tlsSecret/],
])(
  '%s is refused, with the name of the value',
  async (_what, settings, words) => {
    await expect(template(LEAST, ...settings.flatMap((one) => ['--set', one]))).rejects.toThrow(words);
  },
  OBTAIN_MS,
);

test('a namespace that is there already is left alone', async () => {
  const made = await decode(await template(LEAST, '--set', 'sandboxes.createNamespace=false'));
  expect(made.filter(({ kind }) => kind === 'Namespace')).toEqual([]);
  expect(made.filter(({ kind }) => kind === 'ValidatingAdmissionPolicyBinding')).toHaveLength(1);
});

test('the chart is of the package’s version', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const chart = readFileSync(join(CHART, 'Chart.yaml'), 'utf8');
  expect(chart).toContain(`\nversion: ${version}\n`);
  expect(chart).toContain(`\nappVersion: ${version}\n`);
});
