import { AUTH_NOTICE_SECONDS } from '../protocol/limits.ts';
import { backoffMs } from './backoff.ts';
import { isRetryable } from './errors.ts';
import type { Clock, Random } from './ports.ts';

interface Options {
  readonly ticket: () => Promise<string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly send: (ticket: string) => void;
}

/**
 * Renews the credential that carries a socket while the socket lives: at a random moment in the first half of the time that is left. What fails
 * here is no loss yet: the server closes with 4001 at the end, and the next attempt finds out whether there is another credential.
 */
export class CredentialRefresh {
  readonly #options: Options;
  #renewedFor = '';
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** A second notice of the same end is passed over: the ticket was of the same credential, and another would be too. */
  expiring(expiresAt: string): void {
    if (expiresAt === this.#renewedFor) return;
    this.#renewedFor = expiresAt;
    const { clock, random } = this.#options;
    // The two clocks may differ: a notice never means more than its own time.
    const left = Math.min(Math.max(0, Date.parse(expiresAt) - clock.now()), AUTH_NOTICE_SECONDS * 1_000);
    this.#schedule((random() * left) / 2, 0);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #schedule(ms: number, attempt: number): void {
    this.#cancel();
    this.#cancel = this.#options.clock.after(ms, () => void this.#renew(attempt));
  }

  async #renew(attempt: number): Promise<void> {
    try {
      const ticket = await this.#options.ticket();
      if (!this.#stopped) this.#options.send(ticket);
    } catch (error) {
      if (!this.#stopped && isRetryable(error)) this.#schedule(backoffMs('jitter', attempt, this.#options.random), attempt + 1);
    }
  }
}
