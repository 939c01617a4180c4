import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from '../env.ts';
import { readText } from '../json.ts';

/** 400 for a body that is not UTF-8. Before validators, which would read it all the same. */
export function requireUtf8(): MiddlewareHandler<AppEnv> {
  return async function requireUtf8Middleware(c, next) {
    await readText(c);
    return next();
  };
}
