/** Keeps web pages that a person happens to visit away from a server on their machine. */
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { Env } from './context.ts';
import { ApiError } from './errors.ts';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const MIN_EXPLICIT_KEY = 32;

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** @throws when the api would listen to the network with a key that nobody chose, or a short one. */
export function checkBindAddress(host: string, explicitKey: string | undefined): void {
  if (isLoopback(host) || (explicitKey?.length ?? 0) >= MIN_EXPLICIT_KEY) return;
  throw new Error(
    `LONGHAND_HOST is ${host}, which other machines reach: set LONGHAND_API_KEY to a key of at least ${MIN_EXPLICIT_KEY} characters, or listen on 127.0.0.1.`,
  );
}

/** On loopback the Host header must name this machine: a page whose name was rebound to 127.0.0.1 sends its own. */
export function hostCheck(allowedHosts: string[]): MiddlewareHandler<Env> {
  const allowed = new Set([...LOOPBACK_NAMES, ...allowedHosts.map((host) => host.toLowerCase())]);
  return async function hostCheck(c, next) {
    const host = (c.req.header('host') ?? '').toLowerCase();
    const name = host.replace(/:\d+$/, '');
    if (!allowed.has(name) && !allowed.has(host)) {
      throw new ApiError(
        403,
        'permission_error',
        `The Host header ${JSON.stringify(host.slice(0, 100))} is not allowed; use localhost, or set LONGHAND_ALLOWED_HOSTS.`,
      );
    }
    await next();
  };
}

/** Cross-origin requests, for the listed origins only. */
export function crossOrigin(allowedOrigins: string[]): MiddlewareHandler<Env> {
  return cors({
    origin: allowedOrigins,
    allowMethods: ['GET', 'POST', 'DELETE'],
    exposeHeaders: ['request-id', 'anthropic-workspace-id', 'retry-after', 'x-should-retry'],
    maxAge: 600,
  });
}
