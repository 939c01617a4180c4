import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen } from 'cockatiel';
import type { Clamd } from './clamd.ts';
import { ClamdAway, ClamdFailed } from './failures.ts';

/** After so many failures in a row clamd is left alone for so long, then probed. Milliseconds. */
export const BREAKER = { failures: 5, restMs: 30_000 } as const;

export type BreakerState = 'closed' | 'half_open' | 'open';

/** clamd behind a breaker. */
export interface GuardedClamd extends Pick<Clamd, 'scan'> {
  /** Whether a scan may be tried now. Where the breaker has rested, one caller finds out by a ping, and the others are told no until it has. */
  isReady(signal: AbortSignal): Promise<boolean>;
}

export interface BreakerOptions {
  readonly failures: number;
  readonly restMs: number;
  readonly onState: (state: BreakerState) => void;
}

const NAMES: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed', [CircuitState.HalfOpen]: 'half_open', [CircuitState.Open]: 'open', [CircuitState.Isolated]: 'open',
};

/** Only what clamd does counts: a file whose content cannot be had, or that is not to be scanned, says nothing of it. */
export function guardClamd(clamd: Clamd, { failures, restMs, onState }: BreakerOptions): GuardedClamd {
  const policy = handleWhen((error) => error instanceof ClamdAway || error instanceof ClamdFailed);
  const breaker = circuitBreaker(policy, { halfOpenAfter: restMs, breaker: new ConsecutiveBreaker(failures) });
  breaker.onStateChange((state) => onState(NAMES[state]));
  return {
    async isReady(signal) {
      if (breaker.state === CircuitState.Closed) return true;
      if (breaker.state === CircuitState.HalfOpen) return false;
      return breaker.execute(() => clamd.ping(signal)).then(() => true, () => false);
    },
    scan: (content, signal) => breaker.execute(() => clamd.scan(content, signal)),
  };
}
