/** Token usage of a session that has not asked a model yet. */
import type { Session } from './wire.ts';

export function noUsage(): Session['usage'] {
  return {
    input_tokens: 0,
    output_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    active_seconds: 0,
  };
}
