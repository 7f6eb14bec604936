/** The agent's folders, whatever root file system the sandbox was given. Safe to repeat. */
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { OUTPUT_DIR } from './output.ts';
import { AGENT_UID, HOME, OUTPUTS, SKILLS, UPLOADS, WORKSPACE } from './protocol.ts';

/** @param skills - there is a folder for them. */
export function prepareFolders(skills: boolean): void {
  for (const path of [WORKSPACE, HOME, OUTPUTS]) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    chownSync(path, AGENT_UID, AGENT_UID);
  }
  for (const path of skills ? [UPLOADS, SKILLS] : [UPLOADS]) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    chownSync(path, 0, 0);
    chmodSync(path, 0o755);
  }
  for (const path of ['/tmp', '/var/tmp']) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o1777);
  }
  mkdirSync(OUTPUT_DIR, { recursive: true, mode: 0o755 });
}
