import type { CircuitBreakerPolicy } from 'cockatiel';
import { classifyPostgresError } from '../db/errors.ts';
import { ProfileCache } from './cache/profile-cache.ts';
import { redisBreaker } from './cache/redis-level.ts';
import { DeadlineError, within } from './deadline.ts';
import { AccessTokens } from './identity/access-tokens.ts';
import { IdentityCache } from './identity/identity-cache.ts';
import { Provider } from './identity/provider.ts';
import { ReplicaReads } from './replica/replica-reads.ts';
import { RequestMetrics } from './request-metrics.ts';
import { RoomCalls } from './room-calls.ts';

/** What an isolate keeps between requests. All of it may be lost at any moment. */
export interface Services {
  readonly identities: IdentityCache;
  readonly profiles: ProfileCache;
  readonly redisBreaker: CircuitBreakerPolicy;
  readonly provider: Provider;
  readonly accessTokens: AccessTokens;
  readonly metrics: RequestMetrics;
  readonly replica: ReplicaReads;
  readonly roomCalls: RoomCalls;
}

/** On by compatibility date; the platform's test runner turns it off (vitest-plugin 1.5.0), and Node, which makes the documents, has none of it. */
const carriesPromisesOver = (): boolean =>
  typeof Cloudflare !== 'undefined' && Cloudflare.compatibilityFlags['handle_cross_request_promise_resolution'] === true;

export function createServices(now: () => number = Date.now): Services {
  const isAway = (error: unknown) => error instanceof DeadlineError || classifyPostgresError(error) === 'unreachable';
  const metrics = new RequestMetrics(now);
  return {
    identities: new IdentityCache({ now, within, isAway }),
    profiles: new ProfileCache(now, (level) => metrics.recordLookup(level)),
    redisBreaker: redisBreaker(),
    provider: new Provider(now),
    accessTokens: new AccessTokens(),
    metrics,
    replica: new ReplicaReads(metrics),
    roomCalls: new RoomCalls(carriesPromisesOver()),
  };
}
