import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { AppEnv } from '../env.ts';
import { CONSISTENCY_HEADER } from '../../protocol/consistency.ts';
import { isAllowedOrigin } from '../origins.ts';

/** Those that routes take; the framework's own list has more. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** What a page may send and read besides what every page may (Fetch, sections 2.2.2 and 3.3). Without ETag and If-Match none of another origin could change settings. */
const TAKEN = ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match', 'Range', 'X-Request-Id', 'traceparent', CONSISTENCY_HEADER];
const EXPOSED = ['X-Request-Id', 'Server-Timing', 'Link', 'Location', 'ETag', 'Allow', 'Accept-Ranges', 'Content-Range', 'Content-Disposition', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'Idempotency-Replayed', 'WWW-Authenticate', CONSISTENCY_HEADER];

/** CORS for the origins of `ALLOWED_ORIGINS`. Sockets are none of its business: browsers do not apply it to them, their route checks `Origin`. */
export function allowOrigins(): MiddlewareHandler<AppEnv> {
  const answer = cors({
    origin: (origin, c) => (isAllowedOrigin(c, origin) ? origin : null),
    allowMethods: METHODS,
    allowHeaders: TAKEN,
    exposeHeaders: EXPOSED,
    credentials: true,
    maxAge: 600,
  });
  return function allowOriginsMiddleware(c, next) {
    const headers = c.req.raw.headers;
    if (!headers.has('origin') || headers.has('upgrade')) return next();
    const preflight = c.req.method === 'OPTIONS' && headers.has('access-control-request-method');
    return c.req.method !== 'OPTIONS' || preflight ? answer(c, next) : next();
  };
}
