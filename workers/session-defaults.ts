/** What new sessions are started with, by whichever part starts them: the api, and the brain for other services. */
import type { ApiSettings } from '../api/index.ts';
import {
  DEFAULT_HARNESS,
  DEFAULT_OUTPUT_LIMITS,
  DEFAULT_SESSION_SETTINGS,
  HANDS_QUEUE,
  type SessionSettings,
} from '../workflows/contract.ts';
import type { Settings } from './settings.ts';

export interface SessionDefaults {
  /** Frozen into the session. */
  session: SessionSettings;
  handsQueue: string;
  harness: string;
  files: ApiSettings['files'];
}

export function sessionDefaults(settings: Settings): SessionDefaults {
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
    handsQueue: HANDS_QUEUE,
    harness: DEFAULT_HARNESS,
  };
}
