/** `GET /healthz`: 200 only when everything that a session needs is usable. */
import type { Handler } from 'hono';
import type { ApiDeps, Env } from './context.ts';

const HEALTH_MS = 5_000;

export function healthRoute(deps: ApiDeps): Handler<Env> {
  return async function health(c) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), HEALTH_MS);
    });
    const parts = (await Promise.race([deps.health(), late]).finally(() => clearTimeout(timer))) ?? {
      health: { ok: false, reason: `no answer within ${HEALTH_MS / 1000} s` },
    };
    const ok = Object.values(parts).every((part) => part.ok);
    return c.json({ status: ok ? 'ok' : 'unavailable', parts }, ok ? 200 : 503, { 'cache-control': 'no-store' });
  };
}
