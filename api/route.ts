/** One declaration per endpoint: it is registered with Hono, described in `/openapi.json`, checked, and answered. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context, Handler } from 'hono';
import { id, readQuery } from './common.ts';
import type { ApiDeps, Env, Request } from './context.ts';
import { describeRoute } from './describe.ts';
import { ApiError, notFound } from './errors.ts';
import { parseBody, readBody } from './json.ts';
import type { createOnce, Once } from './once.ts';
import { check } from './validation.ts';

/** Longest that a handler may take, ms. */
const HANDLER_MS = 60_000;

export interface Route<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  method: 'get' | 'post' | 'delete';
  /** As in OpenAPI: `/v1/agents/{agent_id}`. */
  path: string;
  summary: string;
  query?: Query;
  /** Query parameters that may be repeated. */
  lists?: string[];
  body?: Body;
  /** A body as a client may send it, for `/openapi.json`. */
  example?: z.input<Body>;
  response: z.ZodType;
  /** It may be refused with 409: something has changed meanwhile. */
  conflicts?: true;
  /** Content type of the answer when it is not JSON. */
  streams?: 'text/event-stream';
  /** Demanded of everything that changes something. */
  once?: Once;
  /** Returns the answer's object, or a whole response. */
  handle(request: Request<z.output<Query>, z.output<Body>>): Promise<object>;
}

/** Keeps the types of one route together; returns it unchanged. */
export function route<Query extends z.ZodType, Body extends z.ZodType>(spec: Route<Query, Body>): Route {
  return spec as unknown as Route;
}

const noFields = z.strictObject({});

export function mount(
  app: OpenAPIHono<Env>,
  deps: ApiDeps,
  once: ReturnType<typeof createOnce>,
  routes: Route[],
): void {
  const methods = new Map<string, string[]>();
  for (const spec of routes) {
    const method = spec.method.toUpperCase();
    const path = spec.path.replaceAll(/\{(\w+)\}/g, ':$1');
    methods.set(path, [...(methods.get(path) ?? []), ...(method === 'GET' ? ['GET', 'HEAD'] : [method])]);
    describeRoute(app, spec);
    app.on(method, path, async (c) => {
      const answer = await withDeadline(answerOf(spec, deps, once, c), deps.settings.handlerMs ?? HANDLER_MS);
      return answer instanceof Response ? answer : c.body(answer, 200, { 'content-type': 'application/json' });
    });
  }
  for (const [path, known] of methods) app.all(path, refuseMethod(known.join(', ')));
}

/** RFC 9110, 15.5.6: the path is known, the method is not one of its own. */
function refuseMethod(allow: string): Handler<Env> {
  return function refuseMethod(c) {
    const message = `${c.req.method} is not a method of ${c.req.path}; it has ${allow}.`;
    throw new ApiError(405, 'invalid_request_error', message, { allow });
  };
}

async function answerOf(
  spec: Route,
  deps: ApiDeps,
  once: ReturnType<typeof createOnce>,
  c: Context<Env>,
): Promise<Response | string> {
  const raw = spec.method === 'post' ? await readBody(c) : Buffer.alloc(0);
  const params = c.req.param() as Record<string, string>;
  for (const [name, value] of Object.entries(params)) {
    if (!id.safeParse(value).success) throw notFound(name.replace(/_id$/, ''), JSON.stringify(value.slice(0, 128)));
  }
  const search = new URL(c.req.url).searchParams;
  const query = check(spec.query ?? noFields, readQuery(search, new Set(spec.lists)));
  const body = spec.method === 'post' ? check(spec.body ?? noFields, parseBody(raw)) : {};
  const request = { deps, caller: c.get('caller'), params, query, body, c };
  if (spec.once) {
    const done = await once(c, raw, spec.once, (part) => spec.handle({ ...request, ...part }));
    return done.body;
  }
  const answer = await spec.handle({ ...request, db: deps.database.orm, effectId: '', since: new Date(deps.now()) });
  return answer instanceof Response ? answer : JSON.stringify(answer);
}

async function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new ApiError(504, 'timeout_error', `The request took longer than ${ms / 1000} s; repeating it is safe.`));
    }, ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
