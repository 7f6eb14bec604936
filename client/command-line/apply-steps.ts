/** What `longhand apply` would do, step by step, and the doing of it. */
import Anthropic from '@anthropic-ai/sdk';
import { CommandError } from './context.ts';
import type { Declaration, Kind } from './declarations.ts';
import type { DeclaredKind } from './declared-kinds.ts';
import { changedFields, type Stored } from './difference.ts';
import { printableLine } from './printable.ts';

export interface Step {
  declaration: Declaration;
  action: 'create' | 'change' | 'keep';
  /** What is there; absent for a new object. */
  before?: Stored;
  /** What would be there; once it is done, what is. A new object has no lasting id before that. */
  after: Stored;
  changed: string[];
  done: boolean;
}

/**
 * Changes nothing.
 * @throws CommandError that names the first declaration which cannot be applied, in the API's words.
 */
export async function planSteps(
  kinds: Record<Kind, DeclaredKind>,
  declarations: readonly Declaration[],
): Promise<Step[]> {
  const present = new Map<Kind, Stored[]>();
  const steps: Step[] = [];
  for (const declaration of declarations) {
    const kind = kinds[declaration.kind];
    const all = present.get(declaration.kind) ?? (await kind.list());
    present.set(declaration.kind, all);
    steps.push(await at(declaration, () => plan(kind, declaration, all)));
  }
  return steps;
}

async function plan(kind: DeclaredKind, declaration: Declaration, present: Stored[]): Promise<Step> {
  const { name, fields } = declaration;
  const [before, ...others] = present.filter((one) => one.name === name);
  if (before === undefined) {
    const after = await kind.create(fields, true);
    return { declaration, action: 'create', after, changed: Object.keys(fields), done: false };
  }
  if (others.length > 0) {
    const ids = [before, ...others].map(({ id }) => id).join(', ');
    throw new CommandError(`several have the name "${name}" (${ids}). Archive all but one of them, or rename them.`);
  }
  const after = await kind.update(before, fields, true);
  const changed = changedFields(before, after);
  return { declaration, action: changed.length > 0 ? 'change' : 'keep', before, after, changed, done: false };
}

/** Sends what changes, and only that. @throws CommandError */
export async function carryOut(kinds: Record<Kind, DeclaredKind>, step: Step): Promise<void> {
  const { declaration, before, changed } = step;
  const { fields } = declaration;
  const kind = kinds[declaration.kind];
  step.after = await at(declaration, async () => {
    if (before === undefined) return await kind.create(fields, false);
    return await kind.update(before, Object.fromEntries(changed.map((name) => [name, fields[name]])), false);
  });
  step.done = true;
}

/** Errors of the API name the field; this names the document. */
async function at<T>({ place, kind, name }: Declaration, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const what = `${place}: ${kind} "${printableLine(name)}"`;
    if (error instanceof CommandError) throw new CommandError(`${what}: ${error.message}`, error.exitCode);
    if (!(error instanceof Anthropic.APIError) || error.apiMessage === null || error.status === 401) throw error;
    throw new CommandError(`${what}: ${error.apiMessage}`);
  }
}
