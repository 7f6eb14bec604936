/** What `/openapi.json` says: every header, parameter, body, answer and error of each route, as they really are. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { BETA, BETA_PATH, KNOWS_BETA_PATH, VERSIONS } from './auth.ts';
import { binary, id } from './common.ts';
import type { Env } from './context.ts';
import { ERROR_TYPES, type ErrorStatus } from './errors.ts';
import { MAX_KEY } from './once.ts';
import type { Route } from './route.ts';

const errorObject = z
  .object({
    type: z.literal('error'),
    error: z.object({
      type: z.enum(ERROR_TYPES),
      /** Names the field, where there is one. */
      message: z.string(),
      details: z.object({ error_code: z.string() }).optional(),
    }),
    request_id: z.string(),
  })
  .openapi('Error', {
    example: {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'name: Field required' },
      request_id: 'req_0123456789',
    },
  });

const ERRORS: Partial<Record<ErrorStatus, string>> = {
  400: 'The request is wrong; the message names the field',
  401: 'No API key, or one that is not known',
  403: 'The Host header, or the workspace header, is not allowed',
  404: 'There is no such object in the workspace of the key, or no beta header',
  408: 'The upload fell silent; repeating the request is safe',
  409: 'The object has changed since it was read',
  413: 'The body is too large',
  416: 'The range lies outside of the file',
  500: 'Internal error; the log of the api has the cause under the request id',
  503: 'The database or Temporal cannot be reached; repeating the request is safe',
  504: 'It took too long; repeating the request is safe',
};

const version = z.enum(VERSIONS).openapi({ example: VERSIONS.at(-1) });
const beta = z
  .string()
  .openapi({ pattern: `^(.*,)?[ \\t]*${BETA}[ \\t]*(,.*)?$`, example: BETA, description: 'A comma list' });
const requestId = {
  'request-id': { description: 'Names the request in the log', schema: { type: 'string' as const } },
};

/** Describes one route. Its query and body schemas are those that requests are checked with. */
export function describeRoute(app: OpenAPIHono<Env>, spec: Route): void {
  const names = [...spec.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
  const query = queryOf(spec);
  const json = { content: { 'application/json': { schema: errorObject } }, headers: requestId };
  const errors = Object.entries(ERRORS).filter(([status]) => answers(spec, Number(status)));
  const success = {
    description: 'Success',
    content: { [spec.streams ?? 'application/json']: { schema: spec.response } },
    headers: requestId,
  };
  app.openAPIRegistry.registerPath({
    method: spec.method,
    path: spec.path,
    operationId: operationId(spec),
    summary: spec.summary,
    tags: [spec.path.split('/')[2] ?? ''],
    security: [{ bearer: [] }, { apiKey: [] }],
    request: {
      params: z.object(Object.fromEntries(names.map((name) => [name, id]))),
      headers: z.object(headersOf(spec)),
      ...(query ? { query } : {}),
      ...(spec.body || spec.form ? { body: { required: true, content: bodyContent(spec) } } : {}),
    },
    responses: {
      200: success,
      ...(spec.ranges ? { 206: { description: 'A range of it', content: success.content, headers: requestId } } : {}),
      ...Object.fromEntries(errors.map(([status, description]) => [status, { description, ...json }])),
    },
  });
}

/** The document's frame. */
export function describeApi(app: OpenAPIHono<Env>) {
  const { openAPIRegistry: registry } = app;
  registry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  registry.registerComponent('securitySchemes', 'apiKey', { type: 'apiKey', in: 'header', name: 'x-api-key' });
  return {
    openapi: '3.1.0',
    info: {
      title: 'Longhand',
      version: '0.1.0',
      description: 'The Managed Agents API, on your own machines.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
  };
}

/** Which errors a route can answer with, of those that all routes together have. */
function answers(spec: Route, status: number): boolean {
  if (status === 409) return spec.conflicts === true;
  if (status === 408) return spec.form !== undefined;
  if (status === 413) return spec.method === 'post';
  if (status === 416) return spec.ranges === true;
  return true;
}

function headersOf(spec: Route): Record<string, z.ZodType> {
  return {
    'anthropic-version': version,
    ...(BETA_PATH.test(spec.path) ? { 'anthropic-beta': beta } : {}),
    ...(KNOWS_BETA_PATH.test(spec.path) ? { 'anthropic-beta': z.string().optional().openapi({ example: BETA }) } : {}),
    ...(spec.once ? { 'idempotency-key': z.string().min(1).max(MAX_KEY).optional() } : {}),
    ...(spec.streams === 'text/event-stream'
      ? { 'last-event-id': z.string().optional().openapi({ pattern: '^\\d{1,15}$' }) }
      : {}),
    ...(spec.ranges
      ? { range: z.string().optional().openapi({ example: 'bytes=0-0' }), 'if-range': z.string().optional() }
      : {}),
  };
}

function bodyContent(spec: Route) {
  const { body = z.strictObject({}) } = spec;
  if (!spec.form) return { 'application/json': { schema: body, example: spec.example } };
  const { files: names, maxFiles } = spec.form;
  const files = Object.fromEntries(
    names.map((name) => [
      name,
      maxFiles === 1 ? binary.openapi({ minLength: 1 }) : z.array(binary).min(1).max(maxFiles),
    ]),
  );
  return { 'multipart/form-data': { schema: body instanceof z.ZodObject ? body.extend(files) : body } };
}

/** Lists have brackets on the wire, as SDKs write them; without is accepted too. */
function queryOf({ query, lists = [] }: Route): z.ZodObject | undefined {
  if (!(query instanceof z.ZodObject)) return undefined;
  const fields = Object.entries(query.shape as Record<string, z.ZodType>);
  return z.object(
    Object.fromEntries(fields.map(([name, field]) => [lists.includes(name) ? `${name}[]` : name, field])),
  );
}

/** `get_v1_agents_agent_id`: made of what cannot change. */
function operationId(spec: Route): string {
  return `${spec.method}${spec.path.replaceAll(/[^A-Za-z0-9]+/g, '_')}`.replace(/_$/, '');
}
