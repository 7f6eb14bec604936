/**
 * `longhand apply`: makes agents and environments what files say they are. The API itself says what would change (a dry
 * run of the real request), so that its rules and defaults are nowhere repeated; nothing is changed before all of it
 * has passed.
 */
import { createInterface } from 'node:readline/promises';
import { carryOut, planSteps, type Step } from './apply-steps.ts';
import { readArguments } from './arguments.ts';
import { type CommandContext, CommandError, EXIT, isInteractive, printJson, type Subcommand } from './context.ts';
import { readDeclarations } from './declarations.ts';
import { declaredKinds } from './declared-kinds.ts';
import { fieldDifference } from './difference.ts';
import { printableLine } from './printable.ts';
import { painter } from './screen.ts';

const HELP = `Usage: longhand apply FILE… [options]

Creates and changes agents and environments so that they are as the files say, and shows what changes first. A file is
YAML (one or more documents) or JSON; - is standard input. Each document has a "kind" (agent or environment), a "name",
by which the object is found, and the fields of the API. A field that is left out stays as it is; null or [] clears it.

  kind: agent
  name: helper
  model: claude-opus-5-5
  tools:
    - type: agent_toolset_20260401

  --yes       do not ask
  --dry-run   only show what would change
  --json      what was done, as one JSON array`;

export const apply: Subcommand = {
  help: HELP,
  async run(args, context) {
    const { values, positionals } = readArguments(
      args,
      HELP,
      {
        yes: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
      1,
      1_000,
    );
    const declarations = await readDeclarations(positionals, context.input);
    const kinds = declaredKinds(await context.api());
    const steps = await planSteps(kinds, declarations);
    const wanted = steps.filter(({ action }) => action !== 'keep');
    if (!values.json) for (const step of steps) show(context, step);
    if (values['dry-run'] || wanted.length === 0) {
      if (values.json) printJson(context, steps.map(toJson));
      return EXIT.done;
    }
    if (!values.yes) await confirm(context, values.json ? wanted : [], summary(wanted));
    await carryOutAll(context, kinds, wanted, values.json);
    if (values.json) printJson(context, steps.map(toJson));
    return EXIT.done;
  },
};

async function carryOutAll(
  { out, err }: CommandContext,
  kinds: Parameters<typeof carryOut>[0],
  steps: Step[],
  json: boolean,
): Promise<void> {
  for (const [index, step] of steps.entries()) {
    await carryOut(kinds, step).catch((error: unknown) => {
      if (index > 0) err.write(`${index} of ${steps.length} were applied before an error.\n`);
      throw error;
    });
    if (!json) out.write(`${step.action}d ${describe(step)}\n`);
  }
}

function show({ out, env }: CommandContext, step: Step): void {
  const paint = painter(out, env);
  const { action, before = {}, after, declaration, changed } = step;
  const [sign, tone] = ({ create: ['+', 'green'], change: ['~', 'yellow'], keep: ['=', 'dim'] } as const)[action];
  out.write(`${paint(tone, `${sign} ${describe(step)}${action === 'keep' ? ' is as declared' : ''}`)}\n`);
  const shown = action === 'create' ? declaration.fields : after;
  if (action === 'keep') return;
  for (const [color, line] of fieldDifference(before, shown, changed)) out.write(`    ${paint(color, line)}\n`);
}

function describe(step: Step): string {
  const { kind, name } = step.declaration;
  const { before, after, done, action } = step;
  const old = action === 'change' && !done ? `${before?.version} → ` : '';
  const version = after.version === undefined ? '' : `version ${old}${after.version}`;
  return [kind, printableLine(name), idOf(step) ?? '', version].filter(Boolean).join(' ');
}

function idOf({ before, after, done }: Step): string | undefined {
  return done ? after.id : before?.id;
}

function summary(steps: Step[]): string {
  const count = (action: Step['action']) => steps.filter((step) => step.action === action).length;
  const parts = [
    [count('create'), 'to create'],
    [count('change'), 'to change'],
  ].flatMap(([number, what]) => (number ? [`${number} ${what}`] : []));
  return parts.join(', ');
}

/** @throws CommandError when the answer is no, or when there is nobody to ask. */
async function confirm(context: CommandContext, unseen: Step[], what: string): Promise<void> {
  if (!isInteractive(context)) {
    throw new CommandError(
      `${what}, and nobody at a terminal to confirm it: --yes applies it, --dry-run only shows it.`,
      EXIT.usedWrongly,
    );
  }
  for (const step of unseen) show({ ...context, out: context.err }, step);
  const readline = createInterface({ input: context.input });
  try {
    context.err.write(`${what}. Apply? [y/N] `);
    const answer = await new Promise<string>((resolve) => {
      readline.once('line', resolve).once('close', () => resolve(''));
    });
    if (!/^\s*y(es)?\s*$/i.test(answer)) throw new CommandError('Nothing was changed.');
  } finally {
    readline.close();
  }
}

/** Members without a value are left out: the id of what is not made, the version of an environment. */
function toJson(step: Step): object {
  const { kind, name } = step.declaration;
  return { kind, name, action: step.action, id: idOf(step), version: step.after.version, fields: step.changed };
}
