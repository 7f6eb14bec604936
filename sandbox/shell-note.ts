/** What the first command of each thread in a new sandbox is told about its shell. */
import type { SandboxSpec } from './hands.ts';

/** undefined in a session's first sandbox: there is nothing that it could miss. */
export function shellNote({ restore: from, generation, copy }: SandboxSpec): string | undefined {
  // Whoever looks at a copy has had none before.
  if (copy !== undefined && generation === 1) return undefined;
  const rest = 'processes, working directory and variables of before are gone.';
  if (from) return `The sandbox was made anew with the files as of ${from.takenAt}; the shell is new: ${rest}`;
  if (generation > 1) return `The sandbox was made anew and is empty; the shell is new: ${rest}`;
  return undefined;
}
