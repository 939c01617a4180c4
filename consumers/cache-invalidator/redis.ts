import { Redis } from '@upstash/redis';
import { circuitBreaker, ConsecutiveBreaker, handleAll } from 'cockatiel';
import { FORGOTTEN, FORGOTTEN_SECONDS } from '../../db/cache-keys.ts';
import { InfrastructureError } from '../runtime/classify.ts';

/** Longest a command may take, in milliseconds. */
const PATIENCE_MS = 2_000;
/** After so many failures in a row Redis is left alone for so long, then probed. Milliseconds. */
const FAILURES = 5;
const REST_MS = 10_000;
/** Keys of one command. */
const MOST_KEYS = 500;

export interface RedisAddress {
  /** Of Upstash's REST protocol. */
  readonly url: string;
  readonly token: string;
}

/** The second cache level, as the fleet uses it. */
export interface SharedCache {
  /** Forgets the values of keys, also of those that are not there, for somebody may be about to fill them. @throws InfrastructureError where Redis cannot be had, whatever the reason. */
  forget(keys: readonly string[]): Promise<void>;
}

export function redisCache({ url, token }: RedisAddress): SharedCache {
  const redis = new Redis({ url, token, retry: false, enableTelemetry: false, signal: () => AbortSignal.timeout(PATIENCE_MS) });
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: REST_MS, breaker: new ConsecutiveBreaker(FAILURES) });
  return {
    async forget(keys) {
      for (let from = 0; from < keys.length; from += MOST_KEYS) {
        await breaker.execute(() => forgetAll(redis, keys.slice(from, from + MOST_KEYS))).catch((cause: unknown) => {
          throw new InfrastructureError('Redis cannot be reached', { cause });
        });
      }
    },
  };
}

async function forgetAll(redis: Redis, keys: readonly string[]): Promise<void> {
  const commands = redis.pipeline();
  for (const key of keys) commands.set(key, FORGOTTEN, { ex: FORGOTTEN_SECONDS });
  await commands.exec();
}
