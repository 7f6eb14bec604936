/** Who calls, and in which version of the API. */
import type { Context, MiddlewareHandler } from 'hono';
import { type ApiKey, authenticate } from '../store/keys.ts';
import type { ApiDeps, Env } from './context.ts';
import { ApiError, invalid } from './errors.ts';

/** The versions that official SDKs have sent. */
export const VERSIONS = ['2023-01-01', '2023-06-01', '2026-10-21'] as const;
export const BETA = 'managed-agents-2026-04-01';
/** Resources that exist only for who asks for the beta. */
export const BETA_PATH = /^\/v1\/(agents|environments|sessions)(\/|$)/;
/** Resources that show more to who asks for it. */
export const KNOWS_BETA_PATH = /^\/v1\/files(\/|$)/;

/** Demands a known key, in `Authorization: Bearer` or `x-api-key`, and sets `caller`. */
export function authentication(deps: ApiDeps): MiddlewareHandler<Env> {
  return async function authentication(c, next) {
    const key = bearer(c.req.header('authorization')) ?? c.req.header('x-api-key');
    if (!key) {
      throw new ApiError(
        401,
        'authentication_error',
        'An API key is required: send it as "Authorization: Bearer <key>" or as "x-api-key".',
      );
    }
    const row: ApiKey | undefined = await authenticate(deps.database.orm, key);
    if (!row) throw new ApiError(401, 'authentication_error', 'The API key is not known here, or has been revoked.');
    const workspace = c.req.header('anthropic-workspace-id');
    if (workspace !== undefined && workspace !== row.workspaceId) {
      throw new ApiError(
        403,
        'permission_error',
        `anthropic-workspace-id: this API key belongs to workspace ${row.workspaceId}; leave the header out or send that.`,
      );
    }
    c.set('caller', { keyId: row.id, workspaceId: row.workspaceId });
    c.header('anthropic-workspace-id', row.workspaceId);
    await next();
  };
}

/** Demands a known `anthropic-version`, and the beta where the resource belongs to it. */
export function apiVersion(): MiddlewareHandler<Env> {
  return async function apiVersion(c, next) {
    const version = c.req.header('anthropic-version');
    if (version === undefined) throw invalid('anthropic-version', 'header is required');
    if (!VERSIONS.some((known) => known === version)) {
      throw invalid('anthropic-version', `"${version.slice(0, 40)}" is not a known version; use ${VERSIONS.at(-1)}.`);
    }
    if (BETA_PATH.test(c.req.path) && !asksForBeta(c)) {
      throw new ApiError(
        404,
        'not_found_error',
        `anthropic-beta: ${c.req.path} exists only for requests with the header "anthropic-beta: ${BETA}".`,
      );
    }
    await next();
  };
}

/** The request names the beta of the Managed Agents API. */
export function asksForBeta(c: Context<Env>): boolean {
  const betas = (c.req.header('anthropic-beta') ?? '').split(',').map((beta) => beta.trim());
  return betas.includes(BETA);
}

function bearer(header: string | undefined): string | undefined {
  const match = header?.match(/^Bearer\s+(\S+)\s*$/i);
  return match?.[1];
}
