import type { MiddlewareHandler } from 'hono';
import { giveHeader } from '../answer.ts';
import type { AppEnv } from '../env.ts';

const ACCEPTABLE = /^[A-Za-z0-9._-]{8,64}$/;

/** Names the request `X-Request-Id`: as the caller named it, else by the isolate's random prefix and a count, which costs no random bytes each time. */
export function requestId(): MiddlewareHandler<AppEnv> {
  let prefix = '';
  let count = 0;
  return function requestIdMiddleware(c, next) {
    // The platform gives out random bytes within requests only.
    prefix ||= crypto.randomUUID().slice(0, 13);
    const given = c.req.raw.headers.get('x-request-id');
    const id = given !== null && ACCEPTABLE.test(given) ? given : `${prefix}-${(count++).toString(36)}`;
    c.set('requestId', id);
    giveHeader(c, 'X-Request-Id', id);
    return next();
  };
}
