/** A sandbox that was made ahead of need becomes a session's: once, also when the server is started again. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Claim, ServerConfig } from './protocol.ts';

/** The sandbox is another's already. */
export class ClaimedError extends Error {
  override name = 'ClaimedError';
}

/** Reads what stands beside the journal into `config`. */
export function readClaim(config: ServerConfig): void {
  if (config.generation > 0) return;
  try {
    Object.assign(config, JSON.parse(readFileSync(fileOf(config), 'utf8')) as Claim);
  } catch {
    // Nobody has claimed it yet: the file is there whole or not at all.
  }
}

/** Safe to repeat. @throws ClaimedError when it is another session's, or generation. */
export function takeClaim(config: ServerConfig, claim: Claim): void {
  if (config.generation > 0) {
    if (config.sessionId === claim.sessionId && config.generation === claim.generation) return;
    throw new ClaimedError(`This sandbox is generation ${config.generation} of session ${config.sessionId} already.`);
  }
  const { sessionId, generation, shellNote, awaitRestore } = claim;
  const taken: Claim = { sessionId, generation, shellNote, awaitRestore };
  const draft = `${fileOf(config)}.draft`;
  writeFileSync(draft, JSON.stringify(taken), { mode: 0o600, flush: true });
  renameSync(draft, fileOf(config));
  Object.assign(config, taken);
}

function fileOf({ journalDir }: ServerConfig): string {
  return join(journalDir, 'claim.json');
}
