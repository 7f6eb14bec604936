/**
 * The HTTP API: routes, and what stands before them. It decides nothing about sessions (their workflows do) and writes
 * no log (publish does); it checks, asks, and shows.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { Presence } from '../store/presence.ts';
import { agentRoutes } from './agents.ts';
import { apiVersion, authentication } from './auth.ts';
import { type ApiDeps, type Env, makeId } from './context.ts';
import { describeApi } from './describe.ts';
import { environmentRoutes } from './environments.ts';
import { ApiError, ensureApiError, errorBody, loggable } from './errors.ts';
import { eventRoutes } from './events.ts';
import { fileRoutes } from './files.ts';
import { healthRoute } from './health.ts';
import { modelRoutes } from './models.ts';
import { createOnce } from './once.ts';
import { resourceRoutes } from './resources.ts';
import { mount } from './route.ts';
import { crossOrigin, hostCheck } from './safety.ts';
import { createSessionParts, type SessionParts } from './session-parts.ts';
import { sessionRoutes } from './sessions.ts';
import { skillVersionRoutes } from './skill-versions.ts';
import { skillRoutes } from './skills.ts';
import { streamRoutes } from './stream.ts';
import { threadRoutes } from './threads.ts';

export interface ApiOptions {
  /** Refuse Host headers that name no local address. */
  loopback: boolean;
  /** Of the serving process, among others over the same database; without it, it is alone. */
  presence?: Presence;
  /** Shared with whoever serves the app; made here otherwise. */
  parts?: SessionParts;
}

/** @returns the app; `app.request()` and `app.fetch()` work without a server. */
export function createApi(deps: ApiDeps, options: ApiOptions = { loopback: true }): OpenAPIHono<Env> {
  const app = new OpenAPIHono<Env>();
  const { parts = createSessionParts(deps) } = options;
  app.use(requestLog(deps));
  app.onError((thrown, c) => {
    const error = ensureApiError(thrown);
    if (error.status >= 500)
      deps.log.error({ err: loggable(thrown), request_id: c.get('requestId') }, 'request failed');
    if (error.allow !== undefined) c.header('allow', error.allow);
    if (error.retry !== undefined) c.header('x-should-retry', String(error.retry));
    return c.json(errorBody(error, c.get('requestId')), error.status);
  });
  app.notFound(() => {
    throw new ApiError(404, 'not_found_error', 'There is no such endpoint, or it is not built yet.');
  });
  if (options.loopback) app.use(hostCheck(deps.settings.allowedHosts));
  if (deps.settings.allowedOrigins.length > 0) app.use(crossOrigin(deps.settings.allowedOrigins));
  app.get('/healthz', healthRoute(deps));
  app.use('/v1/*', authentication(deps), apiVersion());
  mount(app, deps, createOnce(deps, options.presence), [
    ...agentRoutes(),
    ...environmentRoutes(),
    ...sessionRoutes(parts),
    ...eventRoutes(parts),
    ...streamRoutes(parts),
    ...threadRoutes(parts),
    ...resourceRoutes(parts),
    ...modelRoutes(),
    ...fileRoutes(),
    ...skillRoutes(),
    ...skillVersionRoutes(),
  ]);
  app.doc31('/openapi.json', describeApi(app));
  return app;
}

/** Names each request and writes one line when it is answered: never bodies, queries or keys. */
function requestLog(deps: ApiDeps): MiddlewareHandler<Env> {
  return async function requestLog(c, next) {
    const requestId = makeId(deps, 'req');
    const from = deps.now();
    c.set('requestId', requestId);
    await next();
    c.header('request-id', requestId);
    const caller = c.get('caller') as { keyId: string } | undefined;
    deps.log.info(
      {
        request_id: requestId,
        method: c.req.method,
        path: c.req.path,
        status: c.res.status,
        ms: deps.now() - from,
        key: caller?.keyId,
        retry: c.req.header('x-stainless-retry-count'),
      },
      'request',
    );
  };
}
