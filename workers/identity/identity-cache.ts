import { BoundedMap } from '../bounded-map.ts';
import type { Identity } from './identity.ts';

/** How long an identity is taken without asking, and how long it stands in while Postgres cannot be asked, in milliseconds. */
const FRESH_MS = 5_000;
const STALE_MS = 15 * 60_000;
/** How long one request looks for its identity before it takes a stale one; and after a failure, how long nobody looks again. */
const PATIENCE_MS = 1_500;
const LONG_PATIENCE_MS = 6_000;
const PAUSE_MS = 2_000;
const CAPACITY = 10_000;

interface Entry {
  /** Null: the secret stands for nobody. */
  readonly identity: Identity | null;
  readonly at: number;
}

export interface IdentityPorts {
  readonly now: () => number;
  /** The promise's outcome, or a rejection after `ms` milliseconds. */
  readonly within: <T>(ms: number, promise: Promise<T>) => Promise<T>;
  /** Whether an error of `load` or `within` says that the store is away, rather than that something is wrong. */
  readonly isAway: (error: unknown) => boolean;
}

export type Load = (secret: string) => Promise<Identity | null>;

/**
 * The identities an isolate has lately seen, by secret. Each is loaded by one request at a time, while the others wait for it. A revoked one may be
 * answered for 5 s, longer while Postgres is away: rooms refuse revoked credentials themselves, and every statement joins the credential (G5).
 */
export class IdentityCache {
  readonly #entries = new BoundedMap<string, Entry>(CAPACITY);
  readonly #loading = new Map<string, Promise<Entry>>();
  readonly #ports: IdentityPorts;
  #pausedUntil = 0;

  constructor(ports: IdentityPorts) {
    this.#ports = ports;
  }

  /** The identity if it needs no waiting: undefined says to `find` it. Null: there is none. */
  peek(secret: string): Identity | null | undefined {
    const entry = this.#entries.get(secret);
    return entry !== undefined && this.#ports.now() - entry.at < FRESH_MS ? this.#live(entry) : undefined;
  }

  /** Throws what `load` throws where nothing can stand in. */
  async find(secret: string, load: Load): Promise<Identity | null> {
    const standIn = this.#standIn(secret);
    if (standIn && this.#ports.now() < this.#pausedUntil) return this.#live(standIn);
    try {
      return this.#live(await this.#ports.within(standIn ? PATIENCE_MS : LONG_PATIENCE_MS, this.#load(secret, load)));
    } catch (error) {
      // A flight whose request was cut off would never land: the next request starts its own.
      this.#loading.delete(secret);
      if (!standIn || !this.#ports.isAway(error)) throw error;
      this.#pausedUntil = this.#ports.now() + PAUSE_MS;
      return this.#live(standIn);
    }
  }

  forget(secret: string): void {
    this.#entries.delete(secret);
    this.#loading.delete(secret);
  }

  #load(secret: string, load: Load): Promise<Entry> {
    const running = this.#loading.get(secret);
    if (running) return running;
    const started = this.#ports.now();
    const loading = load(secret).then((identity) => {
      const entry = { identity, at: started };
      // Whoever has called `forget` meanwhile knows better than what this brings.
      if (this.#loading.get(secret) !== loading) return entry;
      this.#loading.delete(secret);
      this.#entries.set(secret, entry);
      return entry;
    });
    this.#loading.set(secret, loading);
    return loading;
  }

  #standIn(secret: string): Entry | undefined {
    const entry = this.#entries.get(secret);
    return entry?.identity && this.#ports.now() - entry.at < STALE_MS ? entry : undefined;
  }

  #live({ identity }: Entry): Identity | null {
    return identity !== null && identity.actor.expires_at > this.#ports.now() ? identity : null;
  }
}
