import type { Hold } from './lifecycle.ts';
import type { Clock } from './ports.ts';

/** What a device knows of its network and its user. */
export interface Conditions {
  /** False only where it is certain that nothing can be reached. */
  readonly isOnline: boolean;
  /** Whether someone may be looking. */
  readonly isVisible: boolean;
  /** Calls `changed` after each change, until the returned function is called. */
  watch(changed: () => void): () => void;
  /** Calls `leaving` when this may be the last moment: the page is hidden, or gone from. Absent: programs end as they choose. */
  watchLeaving?(leaving: () => void): () => void;
}

/** For programs that are never hidden and take the network as it comes. */
export const alwaysOn: Conditions = { isOnline: true, isVisible: true, watch: () => () => {} };

/** Whether a user is at the device. */
export interface Activity {
  readonly isActive: boolean;
  /** Calls `changed` when that may have changed, until the returned function is called. */
  watch(changed: () => void): () => void;
}

interface Options {
  readonly conditions: Conditions;
  /** How long nobody may look before the connection rests; null: for ever. */
  readonly hiddenAfterMs: number | null;
  /** Work that must not be left lying: the connection stays up, hidden or not. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
  readonly changed: (hold: Hold | null) => void;
}

/** Makes of conditions what holds a connection back. */
export class HoldWatch {
  readonly #options: Options;
  #unwatch: (() => void) | null = null;
  #cancelHiding: (() => void) | null = null;
  #isHiddenLong = false;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Reports at once where something holds already. */
  start(): void {
    this.#unwatch ??= this.#options.conditions.watch(() => this.#changed());
    this.#look();
    if (this.#hold) this.#options.changed(this.#hold);
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#seen();
  }

  get #hold(): Hold | null {
    if (!this.#options.conditions.isOnline) return 'offline';
    return this.#isHiddenLong ? 'hidden' : null;
  }

  #changed(): void {
    this.#look();
    this.#options.changed(this.#hold);
  }

  #look(): void {
    const { conditions, hiddenAfterMs } = this.#options;
    if (conditions.isVisible || hiddenAfterMs === null) this.#seen();
    else if (!this.#isHiddenLong) this.#cancelHiding ??= this.#options.clock.after(hiddenAfterMs, () => this.#hide());
  }

  #hide(): void {
    this.#cancelHiding = null;
    if (this.#options.isBusy()) return this.#look();
    this.#isHiddenLong = true;
    this.#options.changed(this.#hold);
  }

  #seen(): void {
    this.#cancelHiding?.();
    this.#cancelHiding = null;
    this.#isHiddenLong = false;
  }
}
