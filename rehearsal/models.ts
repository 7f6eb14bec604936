/** The models that a rehearsal answers for, as `GET /v1/models` lists them. */
import type { ModelInfo } from '@anthropic-ai/sdk/resources/models';
import { ApiError } from './errors.ts';
import type { Script } from './script.ts';

/** Listed when a rehearsal names no models; it answers for any other id as well. */
const DEFAULT_MODELS = ['claude-opus-5-5', 'claude-sonnet-5-5', 'claude-haiku-5-5'];

/** The first script that names the model, else the first that names none. @throws ApiError (404) */
export function scriptFor(scripts: Script[], model: string): Script {
  const script =
    scripts.find((it) => it.models.some((pattern) => matches(pattern, model))) ??
    scripts.find((it) => it.models.length === 0);
  if (!script) throw new ApiError(404, `model: ${model}`);
  return script;
}

function matches(pattern: string, model: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.\\+?^${}()|[\]]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(model);
}

/** The most that `max_tokens` may be. */
export const MAX_OUTPUT_TOKENS = 128_000;

export function listModels(scripts: Script[]): ModelInfo[] {
  const named = scripts.flatMap((script) => script.models.filter((id) => !id.includes('*')));
  const any = scripts.some((script) => script.models.length === 0);
  const ids = new Set([...named, ...(any ? DEFAULT_MODELS : [])]);
  return [...ids].map((id) => describe(id, scriptFor(scripts, id)));
}

export function describe(id: string, script: Script): ModelInfo {
  const line = (['haiku', 'sonnet', 'opus', 'fable', 'mythos'] as const).find((it) => id.includes(it)) ?? null;
  return {
    type: 'model',
    id,
    display_name: `${id} (rehearsal: ${script.title})`,
    created_at: '2026-01-01T00:00:00Z',
    deprecated_at: null,
    retires_at: null,
    lifecycle: 'active',
    line,
    max_input_tokens: script.contextWindow,
    max_tokens: MAX_OUTPUT_TOKENS,
    capabilities: null,
  };
}
