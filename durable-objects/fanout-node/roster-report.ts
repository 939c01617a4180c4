/** Reports are so far apart, in milliseconds. */
const EVERY_MS = 5_000;
/** Attempts in a row, after which only the room's next sweep asks again. */
const MOST_ATTEMPTS = 3;

export interface RosterPorts {
  clock(): number;
  /** Hashed ids of the users with a socket here, each once. */
  users(): Set<number>;
  /** Tells the room; rejects when it cannot be reached. */
  report(users: Float64Array): Promise<void>;
}

/**
 * Tells the room who is here, whenever that may have changed and has: the whole list, with one call under way at most, so the last that arrives is the
 * newest. However many come and go, that is a call in 5 s; what a room or a node forgets, the next one mends.
 */
export class RosterReport {
  readonly #ports: RosterPorts;
  /** Somebody may have come or gone since the last report was made. */
  #stale = false;
  #reported: Set<number> | null = null;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #calling = false;
  #attempts = 0;

  constructor(ports: RosterPorts) {
    this.#ports = ports;
  }

  changed(): void {
    this.#stale = true;
  }

  /** The room wants to know, changed or not. */
  demand(): void {
    [this.#stale, this.#reported, this.#attempts] = [true, null, 0];
  }

  /** Reports what is due. False: there is more to do, soon. */
  settle(): boolean {
    if (this.#calling) return false;
    if (!this.#stale) return true;
    if (this.#ports.clock() - this.#reportedAt < EVERY_MS) return false;
    const users = this.#ports.users();
    this.#stale = false;
    if (this.#reported !== null && isSame(this.#reported, users)) return true;
    void this.#report(users);
    return false;
  }

  async #report(users: Set<number>): Promise<void> {
    [this.#calling, this.#reportedAt] = [true, this.#ports.clock()];
    try {
      await this.#ports.report(Float64Array.from(users));
      [this.#reported, this.#attempts] = [users, 0];
    } catch {
      this.#attempts += 1;
      // Whether it arrived is not known.
      this.#reported = null;
      this.#stale ||= this.#attempts < MOST_ATTEMPTS;
    }
    this.#calling = false;
  }
}

const isSame = (a: Set<number>, b: Set<number>): boolean => a.size === b.size && [...a].every((user) => b.has(user));
