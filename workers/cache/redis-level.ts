import { Redis } from '@upstash/redis/cloudflare';
import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleAll, type CircuitBreakerPolicy } from 'cockatiel';
import { CACHE_SECONDS, FORGOTTEN, FORGOTTEN_SECONDS, profileKey } from '../../db/cache-keys.ts';
import { profileSchema, type Profile } from '../../protocol/api.ts';
import type { SharedLevel } from './profile-cache.ts';

/** Longest a command may take, in milliseconds: past it Postgres is the quicker way. */
const PATIENCE_MS = 250;

/** One for the isolate: after five failures in a row Redis is left alone for 10 s, then probed. */
export const redisBreaker = (): CircuitBreakerPolicy => circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) });

interface RedisAddress {
  readonly UPSTASH_REDIS_REST_URL?: string;
  readonly UPSTASH_REDIS_REST_TOKEN?: string;
}

/** The shared level of this request; null where none is configured. `keepAlive` lets a command end that its request no longer waits for. */
export function redisLevel(address: RedisAddress, breaker: CircuitBreakerPolicy, keepAlive: (work: Promise<unknown>) => void): SharedLevel | null {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = address;
  if (!url || !token) return null;
  const redis = new Redis({ url, token, retry: false, enableTelemetry: false, signal: () => AbortSignal.timeout(PATIENCE_MS) });
  const attempt = async <T>(command: () => Promise<T>): Promise<T | null> => {
    // While one request probes, the others would wait for it: they go without Redis instead.
    if (breaker.state === CircuitState.HalfOpen) return null;
    const work = breaker.execute(command).catch(() => null);
    keepAlive(work);
    return work;
  };
  return {
    get: async (id): Promise<Profile | null> => profileSchema.safeParse(await attempt(() => redis.get(profileKey(id)))).data ?? null,
    offer: async (user) => void (await attempt(() => redis.set(profileKey(user.id), user, { ex: CACHE_SECONDS, nx: true }))),
    forget: async (id) => void (await attempt(() => redis.set(profileKey(id), FORGOTTEN, { ex: FORGOTTEN_SECONDS }))),
  };
}
