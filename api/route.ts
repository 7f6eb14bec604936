/** One declaration per endpoint: it is registered with Hono, described in `/openapi.json`, checked, and answered. */
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context, Handler } from 'hono';
import { id, readQuery } from './common.ts';
import type { ApiDeps, Env, Request } from './context.ts';
import { describeRoute } from './describe.ts';
import { dryRun, dryRunQuery, isDryRun } from './dry-run.ts';
import { ApiError, notFound } from './errors.ts';
import { parseBody, readBody } from './json.ts';
import { type Form, type FormSpec, readForm } from './multipart.ts';
import { type createOnce, keyOf, type Once } from './once.ts';
import { discardStored } from './stored.ts';
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
  /** The body is multipart/form-data: `body` describes its fields, and its files are stored before `handle` runs. */
  form?: FormSpec;
  /** A body as a client may send it, for `/openapi.json`. */
  example?: z.input<Body>;
  response: z.ZodType;
  /** It may be refused with 409: something has changed meanwhile. */
  conflicts?: true;
  /** Content type of the answer when it is not JSON. */
  streams?: 'text/event-stream' | '*/*' | 'application/zip';
  /** A range of its bytes can be asked for (RFC 9110, section 14). */
  ranges?: true;
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
    describeRoute(app, { ...spec, query: queryOf(spec) });
    app.on(method, path, async (c) => {
      // An upload takes as long as its client's line is slow; it has limits of its own.
      const area = c.get('caller').workspaceId;
      const form =
        spec.form && (await readForm(c, spec.form, deps.blobs, area, (files) => discardStored(deps, area, files)));
      const work = answerOf(spec, deps, once, c, form).catch(async (error: unknown) => {
        if (form && error instanceof ApiError && error.status < 500) await discardStored(deps, area, form.files);
        throw error;
      });
      const answer = await withDeadline(work, deps.settings.handlerMs ?? HANDLER_MS);
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
  form?: Form,
): Promise<Response | string> {
  // Two uploads are the same request when their fields are, and the hashes of their files.
  const raw = form ? Buffer.from(JSON.stringify(form)) : spec.method === 'post' ? await readBody(c) : Buffer.alloc(0);
  const params = c.req.param() as Record<string, string>;
  for (const [name, value] of Object.entries(params)) {
    if (!id.safeParse(value).success) throw notFound(name.replace(/_id$/, ''), JSON.stringify(value.slice(0, 128)));
  }
  const search = new URL(c.req.url).searchParams;
  const query = check(queryOf(spec), readQuery(search, new Set(spec.lists)));
  const sent = form ? form.fields : spec.method === 'post' ? parseBody(raw) : {};
  const body = spec.method === 'post' ? check(spec.body ?? noFields, sent) : {};
  const request = { deps, caller: c.get('caller'), params, query, body, files: form?.files ?? [], c };
  if (spec.once) keyOf(c);
  if (isDryRun(query)) return JSON.stringify(await dryRun(deps, (part) => spec.handle({ ...request, ...part })));
  if (spec.once) {
    const done = await once(c, raw, spec.once, (part) => spec.handle({ ...request, ...part }));
    return done.body;
  }
  const answer = await spec.handle({ ...request, db: deps.database.orm, effectId: '', since: new Date(deps.now()) });
  return answer instanceof Response ? answer : JSON.stringify(answer);
}

/** What is committed together with its answer can be tried. */
function queryOf(spec: Route): z.ZodType {
  return spec.query ?? (spec.once === 'transaction' ? dryRunQuery : noFields);
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
