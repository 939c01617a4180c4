import type { MiddlewareHandler } from 'hono';
import { giveHeader } from '../answer.ts';
import type { AppEnv } from '../env.ts';

/** The API answers data: no browser is to run, frame, guess at or keep any of it. */
export function securityHeaders(): MiddlewareHandler<AppEnv> {
  return function securityHeadersMiddleware(c, next) {
    giveHeader(c, 'X-Content-Type-Options', 'nosniff');
    giveHeader(c, 'Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
    giveHeader(c, 'Strict-Transport-Security', 'max-age=31536000; includeSubDomains');
    giveHeader(c, 'Referrer-Policy', 'no-referrer');
    giveHeader(c, 'Cache-Control', 'no-store');
    return next();
  };
}
