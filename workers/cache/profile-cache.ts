import type { User } from '../../protocol/api.ts';
import { BoundedMap } from '../bounded-map.ts';

/** How long the isolate's own level answers, in milliseconds. */
export const L1_MS = 5_000;
const CAPACITY = 5_000;

/** A shared level. It never fails: what it cannot do is a miss. */
export interface SharedLevel {
  get(id: string): Promise<User | null>;
  set(user: User): Promise<void>;
  delete(id: string): Promise<void>;
}

/** What a request brings to a look-up. */
export interface ProfileSource {
  readonly shared: SharedLevel | null;
  /** The record: Postgres. */
  readonly load: (id: string) => Promise<User | null>;
  /** Lets work go on after the answer. */
  readonly later: (work: Promise<unknown>) => void;
}

/** Profiles of users by three levels: isolate, Redis, Postgres. Profiles only: what someone may do is never read from here. */
export class ProfileCache {
  readonly #profiles = new BoundedMap<string, { readonly user: User; readonly at: number }>(CAPACITY);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  async find(id: string, source: ProfileSource): Promise<User | null> {
    const near = this.#profiles.get(id);
    if (near && this.#now() - near.at < L1_MS) return near.user;
    const user = (await source.shared?.get(id)) ?? (await this.#loadAndShare(id, source));
    if (user) this.#profiles.set(id, { user, at: this.#now() });
    return user;
  }

  async #loadAndShare(id: string, { shared, load, later }: ProfileSource): Promise<User | null> {
    const user = await load(id);
    if (user && shared) later(shared.set(user));
    return user;
  }
}
