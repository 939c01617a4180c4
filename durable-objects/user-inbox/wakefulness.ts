import type { CountedBadge } from '../../db/queries/badges.ts';
import type { TellAnswer } from '../../protocol/tellings.ts';
import { backoffMs } from '../log/backoff.ts';
import type { InboxState } from './inbox-state.ts';

/** How long after its last socket an inbox is still told of badges: long enough for a client to come back. */
const LINGER_MS = 300_000;

export interface WakefulnessPorts {
  clock(): number;
  random(): number;
  /** Open sockets. */
  sockets(): number;
  /** As `InboxRecord.wake`. */
  wake(version: number): Promise<readonly CountedBadge[]>;
  counted(badges: readonly CountedBadge[]): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/**
 * Whether badges are told to this inbox: from its first socket on, until nobody has listened for five minutes.
 *
 *   asleep ── a socket joins: Postgres is told, then everything counted ──▶ awake
 *     ▲                                                                       │
 *     └──── told of something, with no socket for five minutes: it says so ───┘
 */
export class Wakefulness {
  readonly #state: InboxState;
  readonly #ports: WakefulnessPorts;
  #waking = false;
  #attempts = 0;
  #retryAt = 0;

  constructor(state: InboxState, ports: WakefulnessPorts) {
    this.#state = state;
    this.#ports = ports;
  }

  /** Somebody listens, and is not told of badges yet. */
  get isDue(): boolean {
    return this.#ports.sockets() > 0 && !this.#state.isAwake;
  }

  /** Call when sockets have come or gone, and in every round of tidying while it is due. */
  check(): void {
    const now = this.#ports.clock();
    if (this.#ports.sockets() > 0) this.#state.setLeftAt(null);
    else if (this.#state.leftAt === null) this.#state.setLeftAt(now);
    if (this.isDue && now >= this.#retryAt) void this.#wake();
  }

  /** The answer to who has told something. One that nobody hears sleeps from now on. */
  answer(): TellAnswer {
    if (!this.#isUnheard()) return { status: 'told' };
    this.#state.setAwake(false);
    return { status: 'asleep', awake_version: this.#state.awakeVersion };
  }

  #isUnheard(): boolean {
    const { leftAt, isAwake } = this.#state;
    return this.#ports.sockets() === 0 && leftAt !== null && (!isAwake || this.#ports.clock() - leftAt >= LINGER_MS);
  }

  /** Has the badges told from now on, and takes those of this moment: none falls between. The version is kept before Postgres may know it. */
  async #wake(): Promise<void> {
    if (this.#waking) return;
    this.#waking = true;
    this.#state.setAwake(false, this.#state.awakeVersion + 1);
    try {
      const badges = await this.#ports.wake(this.#state.awakeVersion);
      this.#state.setAwake(true);
      this.#attempts = 0;
      this.#ports.counted(badges);
    } catch (error) {
      this.#ports.warn('wake', { error: String(error) });
      this.#retryAt = this.#ports.clock() + backoffMs(this.#attempts++, this.#ports.random());
    }
    this.#waking = false;
  }
}
