/** What the requests of one server share. */
import type { MessageCreateParamsBase } from '@anthropic-ai/sdk/resources/messages';
import type { PromptCache } from './cache.ts';
import type { FaultCounter } from './faults.ts';
import type { Pace, Script } from './script.ts';

/** A request as a test looks at it. */
export interface RequestRecord {
  /** `POST /v1/messages`, without the query. */
  endpoint: string;
  body: MessageCreateParamsBase;
  /** Lower-case names; the key is left out. */
  headers: Record<string, string>;
  /** When it had arrived, ms since the epoch. */
  at: number;
  /** When the first words of a streamed answer went out, ms since the epoch. */
  wordsAt?: number;
  /** When a streamed answer had gone out whole, ms since the epoch. */
  endedAt?: number;
}

export interface Stage {
  scripts: Script[];
  /** Overrides every script's. */
  pace: Partial<Pace>;
  cache: PromptCache;
  faults: FaultCounter;
  record(request: RequestRecord): void;
}
