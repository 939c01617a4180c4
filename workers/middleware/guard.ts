import type { Context, MiddlewareHandler } from 'hono';
import type { AppEnv } from '../env.ts';

/** A condition of a route: the refusal, or null. */
export type Guard = (c: Context<AppEnv>) => Response | null | Promise<Response | null>;

/** All conditions of a route in one layer, in order: each layer of the framework is two promises more on the way in, and on the way out. */
export function guard(guards: readonly Guard[]): MiddlewareHandler<AppEnv> {
  return async function guardMiddleware(c, next) {
    for (const check of guards) {
      const outcome = check(c);
      const refusal = outcome instanceof Promise ? await outcome : outcome;
      if (refusal !== null) return refusal;
    }
    return next();
  };
}
