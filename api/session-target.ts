/**
 * Which of the operator's targets a session's sandboxes are of. Its environment says so in two keys of its metadata,
 * which the API has for whatever a program wants to say, so that every SDK can; the values only choose from the
 * operator's list (`LONGHAND_TARGETS`).
 */
import type { Environment } from '../store/environments.ts';
import type { SessionInput } from '../workflows/contract.ts';
import type { ApiSettings } from './context.ts';
import { invalid } from './errors.ts';

const TARGET = 'longhand.target';
const IMAGE = 'longhand.image';
/** As in the file: what sessions get that ask for none. */
const ORDINARY = 'default';

/** Frozen into the session. */
export type Placement = Pick<SessionInput, 'handsQueue' | 'target' | 'image'>;

/** @throws ApiError 400 for a target or an image that is not on offer. */
export function placementOf(
  { handsQueue, targets }: Pick<ApiSettings, 'handsQueue' | 'targets'>,
  { id, metadata }: Pick<Environment, 'id' | 'metadata'>,
): Placement {
  const { [TARGET]: target, [IMAGE]: image } = metadata;
  if (target === undefined && image === undefined) return { handsQueue };
  const refuse = (key: string, value: string, why: string) =>
    invalid('environment_id', `${id} has metadata "${key}": ${JSON.stringify(value)}, ${why}`);
  if (!targets) {
    const [key, value] = target === undefined ? [IMAGE, image ?? ''] : [TARGET, target];
    throw refuse(key, value, 'and no targets are set up: they need LONGHAND_TARGETS, and LONGHAND_SANDBOX=kubernetes');
  }
  const name = target ?? ORDINARY;
  const offered = targets.get(name) ?? (name === ORDINARY ? { handsQueue, images: [] } : undefined);
  if (!offered)
    throw refuse(TARGET, name, `which is none of: ${[...new Set([ORDINARY, ...targets.keys()])].join(', ')}`);
  if (image !== undefined && !offered.images.includes(image)) {
    const allowed = offered.images.join(', ') || 'none';
    throw refuse(IMAGE, image, `which is not among the images that the target "${name}" allows: ${allowed}`);
  }
  return {
    handsQueue: offered.handsQueue,
    ...(name === ORDINARY ? {} : { target: name }),
    ...(image === undefined ? {} : { image }),
  };
}
