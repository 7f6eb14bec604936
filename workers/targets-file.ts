/** The operator's targets (`LONGHAND_TARGETS`): what sandboxes there are beside the ordinary ones, by name. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { DEFAULT_TARGET, kubernetesOnly, type Targets } from '../sandbox/targets.ts';
import { HANDS_QUEUE } from '../workflows/contract.ts';
import { QUEUE } from './setting-kinds.ts';
import { type Settings, SettingsError } from './settings.ts';

const GIB = 1024 ** 3;
const UNITS: Record<string, number> = {
  ...{ '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 1024, Mi: 1024 ** 2, Gi: GIB, Ti: 1024 ** 4 },
};
/** Below this nothing starts. */
const LEAST_BYTES = 64 * 1024 ** 2;
const MOST_BYTES = 64 * 1024 ** 4;

const TARGET_NAME = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/;
const DOMAIN = '[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?';
const WORD = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const IMAGE = /^[a-z0-9]([-a-zA-Z0-9._/:@]{0,510}[a-zA-Z0-9])?$/;

const quantity = z.union([z.number(), z.string()]).transform((written, context) => {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?$/.exec(String(written)) ?? [];
  const bytes = Math.round(Number(number) * (UNITS[unit] ?? Number.NaN));
  if (bytes >= LEAST_BYTES && bytes <= MOST_BYTES) return bytes;
  context.addIssue('Give bytes from 64Mi to 64Ti, such as 8Gi');
  return z.NEVER;
});
const cpus = z
  .number()
  .min(0.01)
  .max(1_024)
  .refine((number) => Math.abs(number * 1_000 - Math.round(number * 1_000)) < 1e-6, 'Give at most three decimals');
const labelKey = z.string().regex(new RegExp(`^(${DOMAIN}/)?${WORD}$`), 'Give a label’s name, such as example.com/gpu');
const labelValue = z
  .string()
  .regex(new RegExp(`^(${WORD})?$`), 'Give a label’s value: at most 63 letters, digits, -_.');
const image = z.string().regex(IMAGE, 'Give the name of an image, such as registry.example/team/sandbox:1');

const toleration = z
  .strictObject({
    key: labelKey.optional(),
    operator: z.enum(['Exists', 'Equal']).optional(),
    value: labelValue.optional(),
    effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
    tolerationSeconds: z.int().min(0).optional(),
  })
  // What the API server would refuse, one sandbox at a time.
  .refine(({ key, operator }) => key !== undefined || operator === 'Exists', 'Without a key the operator is Exists')
  .refine(
    ({ value, operator }) => value === undefined || operator !== 'Exists',
    'With the operator Exists there is no value',
  )
  .refine(
    ({ tolerationSeconds, effect }) => tolerationSeconds === undefined || effect === 'NoExecute',
    'tolerationSeconds is only for the effect NoExecute',
  );

/** Such as `nvidia.com/gpu`. What Kubernetes itself counts is under `limits`. */
const extended = z
  .string()
  .regex(
    new RegExp(`^${DOMAIN}/${WORD}$`),
    'Give an extended resource, such as nvidia.com/gpu; cpu and memory are limits',
  )
  .refine((name) => !/(^|\.)kubernetes\.io\//.test(name), 'Resources of kubernetes.io are not extended ones');

const targetSchema = z.strictObject({
  queue: z.string().regex(QUEUE, 'Give a task queue of hands: hands, or such as hands.gpu').optional(),
  nodeSelector: z.record(labelKey, labelValue).optional(),
  tolerations: z.array(toleration).max(50).optional(),
  resources: z.record(extended, z.int().min(1).max(1_000_000)).optional(),
  limits: z
    .strictObject({
      cpus: cpus.optional(),
      memory: quantity.optional(),
      disk: quantity.optional(),
      pids: z.int().min(16).max(4_194_304).optional(),
    })
    .optional(),
  image: image.optional(),
  images: z.array(image).max(1_000).optional(),
  warmPool: z.int().min(0).max(1_000).optional(),
});
const fileSchema = z
  .record(z.string().regex(TARGET_NAME, 'Name targets by at most 40 of a-z, 0-9 and "-"'), targetSchema)
  .superRefine(({ [DEFAULT_TARGET]: ordinary }, context) => {
    if (ordinary?.warmPool === undefined) return;
    const path = [DEFAULT_TARGET, 'warmPool'];
    context.addIssue({ code: 'custom', path, message: 'For ordinary sandboxes this is LONGHAND_WARM_POOL' });
  });

/**
 * @param path - of a YAML or JSON file: target name → object, see docs/settings.md. Absent: undefined, there are none.
 * @throws SettingsError naming LONGHAND_TARGETS, the file, the member and the fix.
 */
export async function loadTargets(path: string | undefined): Promise<Targets | undefined> {
  if (path === undefined) return undefined;
  let content: unknown;
  try {
    content = parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new SettingsError(
      `LONGHAND_TARGETS is "${path}", which cannot be read as YAML or JSON: ${(error as Error).message}. ` +
        'See docs/settings.md for an example.',
    );
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    throw new SettingsError(
      `LONGHAND_TARGETS is "${path}", and does not have the shape of docs/settings.md:\n${z.prettifyError(parsed.error)}`,
    );
  }
  return new Map(Object.entries(parsed.data).map(([name, written]) => [name, asTarget(written)]));
}

function asTarget({ limits, ...rest }: z.output<typeof targetSchema>) {
  const { cpus, memory, disk, pids } = limits ?? {};
  const given = {
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memoryBytes: memory }),
    ...(disk === undefined ? {} : { diskBytes: disk }),
    ...(pids === undefined ? {} : { pids }),
  };
  return { ...rest, ...(limits ? { limits: given } : {}) };
}

/** Task queue of the hands that make the sandboxes of a target. */
export function queueOf(targets: Targets | undefined, name: string): string {
  return targets?.get(name)?.queue ?? targets?.get(DEFAULT_TARGET)?.queue ?? HANDS_QUEUE;
}

/**
 * For a process that drives sandboxes: the targets, of which this worker must be able to make those that it serves.
 * @throws SettingsError as {@link loadTargets}, and when it would have to refuse one.
 */
export async function loadServedTargets(settings: Settings): Promise<Targets | undefined> {
  const targets = await loadTargets(settings.LONGHAND_TARGETS);
  if (settings.LONGHAND_SANDBOX === 'gvisor') assertServedWithoutKubernetes(targets, settings.LONGHAND_HANDS_QUEUE);
  return targets;
}

/**
 * Sandboxes of this machine are no pods: a worker must not take the work of a target that it would have to refuse.
 * @throws SettingsError that names the target and what it has.
 */
function assertServedWithoutKubernetes(targets: Targets | undefined, queue: string): void {
  for (const [name, target] of targets ?? []) {
    const [beyond] = kubernetesOnly(target);
    if (beyond === undefined || queueOf(targets, name) !== queue) continue;
    throw new SettingsError(
      `LONGHAND_TARGETS: the target "${name}" has ${beyond}, which needs LONGHAND_SANDBOX=kubernetes, and this hands ` +
        `worker runs sandboxes on its own machine. Use Kubernetes, or give the target a queue of workers that do.`,
    );
  }
}
