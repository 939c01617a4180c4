import { circuitBreaker, type CircuitBreakerPolicy, ConsecutiveBreaker, handleType, isBrokenCircuitError } from 'cockatiel';
import type { Verdict } from './port.ts';

/** After so many failures in a row a host is left alone for so long, then probed by one. Milliseconds. */
export const HOST_BREAKER = { failures: 5, restMs: 30_000 } as const;
/** Hosts that are remembered; who comes after begins anew. */
const MOST_HOSTS = 1_000;

class HostAway extends Error {
  override readonly name = 'HostAway';
  readonly verdict: Verdict;

  constructor(verdict: Verdict) {
    super('the host is away');
    this.verdict = verdict;
  }
}

/** One breaker for each host: thousands of browsers share one push service, and need not each find out that it is away. */
export class HostBreakers {
  readonly #breakers = new Map<string, CircuitBreakerPolicy>();

  /** Asks, unless the host is to be left alone. */
  async ask(host: string, attempt: () => Promise<Verdict>): Promise<Verdict> {
    try {
      return await this.#breakerOf(host).execute(async () => {
        const verdict = await attempt();
        if (verdict.kind === 'later' && verdict.cause === 'away') throw new HostAway(verdict);
        return verdict;
      });
    } catch (error) {
      if (error instanceof HostAway) return error.verdict;
      if (isBrokenCircuitError(error)) return { kind: 'later', cause: 'held', afterMs: HOST_BREAKER.restMs };
      throw error;
    }
  }

  #breakerOf(host: string): CircuitBreakerPolicy {
    const known = this.#breakers.get(host);
    if (known !== undefined) return known;
    const [oldest] = this.#breakers.keys();
    if (this.#breakers.size >= MOST_HOSTS && oldest !== undefined) this.#breakers.delete(oldest);
    const made = circuitBreaker(handleType(HostAway), { halfOpenAfter: HOST_BREAKER.restMs, breaker: new ConsecutiveBreaker(HOST_BREAKER.failures) });
    this.#breakers.set(host, made);
    return made;
  }
}
