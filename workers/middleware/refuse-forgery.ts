import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from '../env.ts';
import { readSessionCookie } from '../identity/cookies.ts';
import { isAllowedOrigin } from '../origins.ts';
import { problemResponse } from '../problems.ts';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * 403 for a changing request that brings the session cookie from a page of another origin. Browsers say whose page it is by `Origin`, or by
 * `Sec-Fetch-Site`; a request with neither comes from no browser, and nobody can make it carry another's cookie.
 */
export function refuseForgery(): MiddlewareHandler<AppEnv> {
  return function refuseForgeryMiddleware(c, next) {
    const headers = c.req.raw.headers;
    if (SAFE.has(c.req.method) || headers.has('authorization') || readSessionCookie(c) === undefined) return next();
    const origin = headers.get('origin');
    const site = headers.get('sec-fetch-site');
    const ours = origin === null ? site === null || site === 'same-origin' || site === 'none' : isAllowedOrigin(c, origin);
    return ours ? next() : Promise.resolve(problemResponse(c, { code: 'forged_origin' }));
  };
}
