/** `longhand apply` */
import { apply } from '../client/command-line/apply.ts';
import { runSubcommand } from './command-context.ts';

export async function applyCommand(args: string[]): Promise<number> {
  return await runSubcommand(apply, args);
}
