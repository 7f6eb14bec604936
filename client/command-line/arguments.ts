/** Arguments of a subcommand, by `node:util`; what does not fit is said in one line, with the usage below it. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { CommandError, EXIT } from './context.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<O extends Options> = ReturnType<
  typeof parseArgs<{ args: string[]; options: O; allowPositionals: true; strict: true }>
>;

/**
 * @param most - positional arguments that there may be; `least` of them there must be.
 * @throws CommandError (exit code 2)
 */
export function readArguments<O extends Options>(
  args: string[],
  help: string,
  options: O,
  least: number,
  most = least,
): Parsed<O> {
  let parsed: Parsed<O>;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw wrongUse(error instanceof Error ? error.message : String(error), help);
  }
  const { length } = parsed.positionals;
  if (length < least) throw wrongUse(length === 0 ? 'an argument is missing.' : 'arguments are missing.', help);
  if (length > most) throw wrongUse(`"${parsed.positionals[most]}" is one argument too many.`, help);
  return parsed;
}

/** The usage, and only that: `--help` shows the rest. */
export function wrongUse(problem: string, help: string): CommandError {
  return new CommandError(`${problem}\n\n${help.split('\n\n')[0]}`, EXIT.usedWrongly);
}

/** @throws CommandError (exit code 2) when the text is not a whole number in the range. */
export function wholeNumber(text: string, option: string, least: number, most: number, help: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw wrongUse(`${option} is "${text}". Give a whole number from ${least} to ${most}.`, help);
}
