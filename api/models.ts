/** `GET /v1/models`: what the catalogue holds, in the pages of the Models API. */
import type { ModelInfo } from '@anthropic-ai/sdk/resources/models';
import { z } from '@hono/zod-openapi';
import { time } from './agent-object.ts';
import { id, limit, repeated } from './common.ts';
import type { CatalogueModel } from './context.ts';
import { invalid, notFound } from './errors.ts';
import { type Route, route } from './route.ts';

const listQuery = z.strictObject({
  limit: limit(20, 1000),
  after_id: id.optional(),
  before_id: id.optional(),
  lifecycle: repeated(z.enum(['active', 'deprecated', 'retired']), 3).optional(),
});
const support = z.object({ supported: z.boolean() }).openapi('CapabilitySupport');
const model = z
  .object({
    id: z.string(),
    type: z.literal('model'),
    display_name: z.string(),
    created_at: time,
    deprecated_at: z.null(),
    retires_at: z.null(),
    lifecycle: z.literal('active'),
    line: z.string().nullable(),
    max_input_tokens: z.int().min(1),
    max_tokens: z.int().min(1),
    capabilities: z.object({
      batch: support,
      citations: support,
      code_execution: support,
      context_management: z.object({
        supported: z.boolean(),
        clear_thinking_20251015: z.null(),
        clear_tool_uses_20250919: z.null(),
        compact_20260112: z.null(),
      }),
      effort: support.extend({ low: support, medium: support, high: support, xhigh: support, max: support }),
      image_input: support,
      pdf_input: support,
      server_tools: support.extend({ code_execution: support, web_search: support }),
      structured_outputs: support,
      thinking: support.extend({
        types: z.object({ adaptive: support, between_tools: support, disabled: support, enabled: support }),
      }),
    }),
  })
  .openapi('Model');
const models = z.object({
  data: z.array(model),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
});

export function modelRoutes(): Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/models',
      summary: 'List models',
      query: listQuery,
      lists: ['lifecycle'],
      response: models,
      async handle({ deps, query }) {
        if (query.after_id && query.before_id) throw invalid('before_id', 'Not together with after_id');
        const shown = !query.lifecycle || query.lifecycle.includes('active');
        const all = shown ? deps.models.known().map(modelInfo) : [];
        const from = query.after_id ? all.findIndex((one) => one.id === query.after_id) + 1 : 0;
        const to = query.before_id ? all.findIndex((one) => one.id === query.before_id) : all.length;
        if (query.after_id && from === 0) throw invalid('after_id', 'No such model');
        if (to < 0) throw invalid('before_id', 'No such model');
        const span = all.slice(from, to);
        const data = query.before_id ? span.slice(-query.limit) : span.slice(0, query.limit);
        return {
          data,
          has_more: span.length > data.length,
          first_id: data[0]?.id ?? null,
          last_id: data.at(-1)?.id ?? null,
        };
      },
    }),
    route({
      method: 'get',
      path: '/v1/models/{model_id}',
      summary: 'Get a model',
      response: model,
      async handle({ deps, params }) {
        const { model_id = '' } = params;
        const found = deps.models.known().find((one) => one.id === model_id);
        if (!found) throw notFound('Model', model_id);
        return modelInfo(found);
      },
    }),
  ];
}

/** What the catalogue does not say is false or null. */
function modelInfo(spec: CatalogueModel): ModelInfo {
  const supports = (supported: boolean) => ({ supported });
  const effort = (level: string) => supports(spec.efforts.includes(level));
  const thinks = spec.thinking === 'adaptive';
  return {
    id: spec.id,
    type: 'model',
    display_name: spec.displayName ?? spec.id,
    created_at: spec.createdAt ?? '1970-01-01T00:00:00Z',
    deprecated_at: null,
    retires_at: null,
    lifecycle: 'active',
    line: spec.line ?? null,
    max_input_tokens: spec.window,
    max_tokens: spec.maxOutput,
    capabilities: {
      batch: supports(false),
      citations: supports(false),
      code_execution: supports(false),
      context_management: {
        supported: false,
        clear_thinking_20251015: null,
        clear_tool_uses_20250919: null,
        compact_20260112: null,
      },
      effort: {
        supported: spec.efforts.length > 0,
        low: effort('low'),
        medium: effort('medium'),
        high: effort('high'),
        xhigh: effort('xhigh'),
        max: effort('max'),
      },
      image_input: supports(true),
      pdf_input: supports(true),
      server_tools: { supported: false, code_execution: supports(false), web_search: supports(false) },
      structured_outputs: supports(false),
      thinking: {
        supported: thinks,
        types: {
          adaptive: supports(thinks),
          between_tools: supports(false),
          disabled: supports(true),
          enabled: supports(false),
        },
      },
    },
  };
}
