import { OFFER_MS } from '../../db/cache-keys.ts';
import type { Profile } from '../../protocol/api.ts';
import { BoundedMap } from '../bounded-map.ts';
import { within } from '../deadline.ts';

/** How long the isolate's own level answers, in milliseconds. */
const L1_MS = 5_000;
const CAPACITY = 5_000;
/** Longest a look-up may take, in milliseconds. */
const PATIENCE_MS = 10_000;

/** A shared level. It never fails: what it cannot do is a miss. */
export interface SharedLevel {
  get(id: string): Promise<Profile | null>;
  /** Keeps what was just read from the record, if nothing is kept and nothing was forgotten of late. To be called within `OFFER_MS` of the reading's start. */
  offer(user: Profile): Promise<void>;
  /** What is kept has become stale, and so has what was read from the record before this. */
  forget(id: string): Promise<void>;
}

/** What a request brings to a look-up. */
export interface ProfileSource {
  readonly shared: SharedLevel | null;
  /** The record: Postgres. */
  readonly load: (id: string) => Promise<Profile | null>;
  /** Lets work go on after the answer. */
  readonly later: (work: Promise<unknown>) => void;
  /** The caller has changed something, and is to see it: the record is asked. */
  readonly fresh: boolean;
}

/** Where a look-up ended; `joined`: in another's. */
export type CacheLevel = 'isolate' | 'joined' | 'shared' | 'record';

interface Flight {
  readonly startedAt: number;
  readonly landing: Promise<Profile | null>;
}

/**
 * Profiles of users by three levels: isolate, Redis, Postgres. Profiles only: what someone may do is never read from here. What is answered was current
 * less than 5 s before it was asked for, or less than that before the shared level had forgotten it.
 */
export class ProfileCache {
  readonly #profiles = new BoundedMap<string, { readonly user: Profile; readonly at: number }>(CAPACITY);
  /** Bounded too: who asked may have hung up, and then nobody takes it out. */
  readonly #flights = new BoundedMap<string, Flight>(CAPACITY);
  readonly #now: () => number;
  readonly #count: (level: CacheLevel) => void;

  constructor(now: () => number, count: (level: CacheLevel) => void) {
    this.#now = now;
    this.#count = count;
  }

  async find(id: string, source: ProfileSource): Promise<Profile | null> {
    const near = this.#profiles.get(id);
    if (near && !source.fresh && this.#isNear(near.at)) {
      this.#count('isolate');
      return near.user;
    }
    return this.#land(id, this.#flightOf(id, source));
  }

  /** What is known here, or is on its way, has become stale. */
  forget(id: string): void {
    this.#profiles.delete(id);
    this.#flights.delete(id);
  }

  #isNear(at: number): boolean {
    return this.#now() - at < L1_MS;
  }

  /** Many that ask at a time share one look-up, unless it began so long ago that its answer may be too old for them. */
  #flightOf(id: string, source: ProfileSource): Flight {
    const under = this.#flights.get(id);
    if (under && !source.fresh && this.#isNear(under.startedAt)) {
      this.#count('joined');
      return under;
    }
    const flight = { startedAt: this.#now(), landing: this.#look(id, source) };
    this.#flights.set(id, flight);
    return flight;
  }

  /** Each waits by a timer of its own: the platform lets no request wait for another's alone (docs/decisions/0007). */
  async #land(id: string, flight: Flight): Promise<Profile | null> {
    try {
      const user = await within(PATIENCE_MS, flight.landing);
      // Whoever has called `forget` meanwhile knows better than what this brings.
      if (user && this.#flights.get(id) === flight) this.#profiles.set(id, { user, at: flight.startedAt });
      return user;
    } finally {
      if (this.#flights.get(id) === flight) this.#flights.delete(id);
    }
  }

  async #look(id: string, source: ProfileSource): Promise<Profile | null> {
    const kept = source.fresh ? null : ((await source.shared?.get(id)) ?? null);
    this.#count(kept ? 'shared' : 'record');
    return kept ?? this.#load(id, source);
  }

  async #load(id: string, { shared, load, later }: ProfileSource): Promise<Profile | null> {
    const startedAt = this.#now();
    const user = await load(id);
    if (user && shared && this.#now() - startedAt < OFFER_MS) later(shared.offer(user));
    return user;
  }
}
