/** Adds the tokens of model requests up. */
import type { ModelUsage } from '../../events/wire.ts';
import type { SampleResult } from '../contract.ts';
import type { Draft } from './draft.ts';

export const NO_TOKENS: ModelUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

/** @param cacheCreation - absent: all of it counts as the 5 minutes' kind. */
export function addUsage(
  draft: Draft,
  used: ModelUsage,
  cacheCreation?: Extract<SampleResult, { ok: true }>['cacheCreation'],
): void {
  const { usage: total } = draft.state;
  const created = cacheCreation ?? {
    ephemeral_5m_input_tokens: used.cache_creation_input_tokens,
    ephemeral_1h_input_tokens: 0,
  };
  total.input_tokens = (total.input_tokens ?? 0) + used.input_tokens;
  total.output_tokens = (total.output_tokens ?? 0) + used.output_tokens;
  total.cache_read_input_tokens = (total.cache_read_input_tokens ?? 0) + used.cache_read_input_tokens;
  total.cache_creation = {
    ephemeral_5m_input_tokens:
      (total.cache_creation?.ephemeral_5m_input_tokens ?? 0) + created.ephemeral_5m_input_tokens,
    ephemeral_1h_input_tokens:
      (total.cache_creation?.ephemeral_1h_input_tokens ?? 0) + created.ephemeral_1h_input_tokens,
  };
}
