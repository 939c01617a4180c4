import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from '../env.ts';

/** The API answers data: no browser is to run, frame, guess at or keep any of it. */
export function securityHeaders(): MiddlewareHandler<AppEnv> {
  return function securityHeadersMiddleware(c, next) {
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
    c.header('Strict-Transport-Security', 'max-age=31536000; includeSubDomains');
    c.header('Referrer-Policy', 'no-referrer');
    c.header('Cache-Control', 'no-store');
    return next();
  };
}
