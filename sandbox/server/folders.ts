/** The agent's folders, whatever root file system the sandbox was given. Safe to repeat. */
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { OUTPUT_DIR } from './output.ts';
import { AGENT_UID, HOME, SESSION_DIR, WORKSPACE } from './protocol.ts';

export function prepareFolders(): void {
  for (const path of [WORKSPACE, HOME, `${SESSION_DIR}/uploads`, `${SESSION_DIR}/outputs`]) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    chownSync(path, AGENT_UID, AGENT_UID);
  }
  for (const path of ['/tmp', '/var/tmp']) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o1777);
  }
  mkdirSync(OUTPUT_DIR, { recursive: true, mode: 0o755 });
}
