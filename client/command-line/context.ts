/**
 * The `longhand` commands that speak to the API over HTTP, with the official SDK. They know no settings and no processes:
 * whoever runs them (`workers/`) gives them a client and a terminal.
 */
import type Anthropic from '@anthropic-ai/sdk';
import type { Output } from './screen.ts';

export type Input = NodeJS.ReadableStream & { isTTY?: boolean };

/** What a command works with. */
export interface CommandContext {
  /** Made when it is first used: help and wrong arguments need neither server nor key. */
  api(): Promise<Anthropic>;
  out: Output;
  /** For everything that is not the answer: questions, notes, progress. */
  err: Output;
  input: Input;
  env: NodeJS.ProcessEnv;
  /** Aborted by Ctrl-C, from the first call on; until then Ctrl-C ends the process as usual. */
  interruption(): AbortSignal;
}

/** One subcommand. */
export interface Subcommand {
  /** Shown by `--help`, and with what was wrong. */
  help: string;
  /** @returns the exit code. @throws CommandError, and what the SDK throws. */
  run(args: string[], context: CommandContext): Promise<number>;
}

/** The exit codes of docs/cli.md. */
export const EXIT = { done: 0, failed: 1, usedWrongly: 2, notFound: 3, waits: 4, interrupted: 130 } as const;

/** An error for a person, with the command's exit code. */
export class CommandError extends Error {
  override name = 'CommandError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Whether a person can be asked. */
export function isInteractive({ input, err }: CommandContext): boolean {
  return input.isTTY === true && err.isTTY === true;
}

export function printJson(context: CommandContext, value: unknown): void {
  context.out.write(`${JSON.stringify(value, null, 2)}\n`);
}
