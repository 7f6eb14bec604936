/**
 * Targets: the kinds of sandboxes that an operator offers beside the ordinary one (`LONGHAND_TARGETS`): with a GPU, with
 * more memory, with another image. A session only names one; what it means is in the operator's file alone, which every
 * hands worker reads for itself.
 */
import type { SandboxLimits, SandboxSpec } from './hands.ts';

/** What sandboxes of a target have that others have not. Absent members: as the ordinary ones. */
export interface Target {
  /** Task queue of the hands workers that make them. */
  queue?: string;
  limits?: Partial<Omit<SandboxLimits, 'outputBytes'>>;
  image?: string;
  /** Images that may be asked for besides `image`. */
  images?: string[];
  /** Labels of the nodes that they run on. */
  nodeSelector?: Record<string, string>;
  tolerations?: Toleration[];
  /** Extended resources of the shell, such as `nvidia.com/gpu`. */
  resources?: Record<string, number>;
  /** Sandboxes that are kept ready ahead of need. */
  warmPool?: number;
}

/** As Kubernetes has it (core/v1 Toleration). */
export interface Toleration {
  key?: string;
  operator?: 'Exists' | 'Equal';
  value?: string;
  effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  tolerationSeconds?: number;
}

/** By name. A map, since names come from users: an object would know `constructor`. */
export type Targets = ReadonlyMap<string, Target>;

/** The target of sessions that name none. It is there even when the file does not speak of it. */
export const DEFAULT_TARGET = 'default';

/** Thrown by `provision` when the worker's targets have no such one, or not this image. Terminal. */
export class TargetRefusedError extends Error {
  override name = 'TargetRefusedError';
}

/**
 * What a sandbox is to be made of; `image` is the one that was asked for, if one was.
 * @throws TargetRefusedError when it is not on offer here.
 */
export function targetOf(targets: Targets | undefined, spec: Pick<SandboxSpec, 'target' | 'image'>): Target {
  const { target: name = DEFAULT_TARGET, image } = spec;
  const target = targets?.get(name) ?? (name === DEFAULT_TARGET ? {} : undefined);
  if (!target) {
    throw new TargetRefusedError(
      `This hands worker knows no target "${name}"; it knows ${named([DEFAULT_TARGET, ...(targets?.keys() ?? [])])}. ` +
        'Give every process the same LONGHAND_TARGETS.',
    );
  }
  if (image === undefined) return target;
  const allowed = imagesOf(target);
  if (allowed.includes(image)) return { ...target, image };
  throw new TargetRefusedError(
    `The target "${name}" of this hands worker does not allow the image "${image}"; it allows ${named(allowed)}. ` +
      'Give every process the same LONGHAND_TARGETS.',
  );
}

/** The images that may be asked for. */
export function imagesOf({ image, images = [] }: Target): string[] {
  return [...new Set([...(image === undefined ? [] : [image]), ...images])];
}

const NEEDS_KUBERNETES = ['image', 'images', 'nodeSelector', 'tolerations', 'resources', 'warmPool'] as const;

/** Members that only pods can have. */
export function kubernetesOnly(target: Target): string[] {
  return NEEDS_KUBERNETES.filter((member) => target[member] !== undefined);
}

/**
 * For providers whose sandboxes are no pods: the spec with the limits of its target.
 * @throws TargetRefusedError as {@link targetOf}, and when the target has more than limits.
 */
export function withTargetLimits(targets: Targets | undefined, spec: SandboxSpec): SandboxSpec {
  const target = targetOf(targets, spec);
  const { images: _, ...made } = target;
  const [beyond] = kubernetesOnly(made);
  if (beyond !== undefined) {
    const name = spec.target ?? DEFAULT_TARGET;
    throw new TargetRefusedError(`The target "${name}" has ${beyond}, which needs LONGHAND_SANDBOX=kubernetes.`);
  }
  return target.limits ? { ...spec, limits: { ...target.limits, ...spec.limits } } : spec;
}

function named(names: string[]): string {
  return [...new Set(names)].join(', ') || 'none';
}
