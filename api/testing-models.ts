/** A small catalogue for tests: one model that takes everything, one that takes less, one without efforts. */
import type { ModelSpec } from '../harness/model-spec.ts';
import type { ModelCatalogue } from './context.ts';

const spec = (id: string, more: Partial<ModelSpec> = {}): ModelSpec => ({
  id,
  upstream: id,
  window: 200_000,
  maxOutput: 64_000,
  efforts: ['high', 'low', 'medium', 'max'],
  thinking: 'adaptive',
  fast: false,
  systemMessages: false,
  ...more,
});
const KNOWN = [
  spec('claude-opus-5-5', { fast: true, systemMessages: true, efforts: ['high', 'low', 'medium', 'xhigh', 'max'] }),
  spec('claude-sonnet-5-5'),
  spec('claude-haiku-4-5', { efforts: [] }),
];

export const TEST_MODELS: ModelCatalogue = {
  known: () => KNOWN,
  find: (id) => KNOWN.find((one) => one.id === id) ?? spec(id),
};
