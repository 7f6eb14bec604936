/** What new sessions are started with, by whichever part starts them: the api, and the brain for other services. */
import type { ApiSettings } from '../api/index.ts';
import { DEFAULT_TARGET, imagesOf, type Targets } from '../sandbox/targets.ts';
import {
  DEFAULT_HARNESS,
  DEFAULT_OUTPUT_LIMITS,
  DEFAULT_SESSION_SETTINGS,
  type SessionSettings,
} from '../workflows/contract.ts';
import type { Settings } from './settings.ts';
import { queueOf } from './targets-file.ts';

export interface SessionDefaults {
  /** Frozen into the session. */
  session: SessionSettings;
  handsQueue: string;
  targets?: ApiSettings['targets'];
  harness: string;
  files: ApiSettings['files'];
}

/** @param targets - the operator's, if there are any. */
export function sessionDefaults(settings: Settings, targets?: Targets): SessionDefaults {
  return {
    session: {
      ...DEFAULT_SESSION_SETTINGS,
      callMaxMs: settings.LONGHAND_TOOL_TIMEOUT_MAX,
      sandboxIdleMs: settings.LONGHAND_SANDBOX_IDLE,
      outputs: DEFAULT_OUTPUT_LIMITS,
    },
    files: {
      quotaBytes: settings.LONGHAND_FILES_QUOTA,
      downloadUploads: settings.LONGHAND_DOWNLOAD_UPLOADS,
      ...(settings.LONGHAND_SKILLS_DIR ? { skillsDir: settings.LONGHAND_SKILLS_DIR } : {}),
    },
    handsQueue: queueOf(targets, DEFAULT_TARGET),
    ...(targets ? { targets: offered(targets) } : {}),
    harness: DEFAULT_HARNESS,
  };
}

/** What sessions may choose, without what it is made of. */
function offered(targets: Targets): ApiSettings['targets'] {
  return new Map(
    [...targets].map(([name, target]) => [name, { handsQueue: queueOf(targets, name), images: imagesOf(target) }]),
  );
}
