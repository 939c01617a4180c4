import type { PresenceState } from '../../protocol/presence.ts';
import { CLOSED_MS, type Lease, LEASE_MS, leaseUntil, longer, mayTellAt, nextChangeAt, sameSeen, type Seen, seenAt, type Wish } from './presence.ts';
import { PresenceDelivery, type DeliveryPorts } from './presence-delivery.ts';
import type { PresenceTable } from './presence-table.ts';

/** The net below a telling that is under way. */
const NET_MS = 15_000;

export interface PresencePorts extends DeliveryPorts {
  /** What the open sockets of the inbox vouch for: each so long after its last ping or frame (`leaseUntil`). */
  lease(): Lease;
  /** What others see has changed; `leaseExpired`: because connections that were not closed have been silent for too long. */
  transition(to: PresenceState, leaseExpired: boolean): void;
  /** The object is to be woken then, at the latest; null: never. Kept durably. */
  setAlarm(at: number | null): void;
}

/**
 * What others see of one user, in that user's inbox. It follows from leases, never from close events alone: a socket that vanishes without a word ends with
 * its lease. No timer runs: the next moment at which anything may change is an alarm, which fresh pings push back when it rings.
 */
export class UserPresence {
  readonly #table: PresenceTable;
  readonly #ports: PresencePorts;
  readonly #delivery: PresenceDelivery;

  constructor(userId: string, table: PresenceTable, ports: PresencePorts) {
    this.#ports = ports;
    this.#table = table;
    this.#delivery = new PresenceDelivery(userId, this.#table, { ...ports, ended: () => this.update() });
  }

  get wish(): Wish {
    return this.#table.row.wish;
  }

  /**
   * Continues what an earlier instance left, once its sockets are taken over. Sockets that neither outlived it nor were closed, as a deploy does it, vouch
   * for one lease more: their clients come back, and nobody is to see them go and come.
   */
  resume(): void {
    const { told, closed, isOpen } = this.#table.row;
    const isLost = isOpen && this.#ports.lease().any === 0;
    if (isLost) this.#table.save({ closed: longer(closed, leaseUntil(this.#ports.clock() + LEASE_MS, told.state === 'away')) });
    this.update();
  }

  /** To be called when a socket has come, has said whether it is idle, or is to be looked after because the alarm rang. */
  update(): void {
    const now = this.#ports.clock();
    const { wish, closed, isOpen } = this.#table.row;
    const open = this.#ports.lease();
    if (isOpen !== open.any > 0) this.#table.save({ isOpen: !isOpen });
    const lease = longer(open, closed);
    const waits = this.#tell(seenAt(lease, wish, now), now, open.any > 0 && open.any <= now);
    this.#delivery.start();
    const next = earliest([nextChangeAt(lease, wish, now), waits, this.#delivery.retryAt]);
    // Should this instance die while it tells, the alarm continues.
    this.#ports.setAlarm(next ?? (this.#delivery.isRunning ? now + NET_MS : null));
  }

  /** Tells what has changed, or returns when it may be told. */
  #tell(seen: Seen, now: number, isSilent: boolean): number | null {
    const { told } = this.#table.row;
    if (sameSeen(seen, told)) return null;
    if (mayTellAt(told) > now) return mayTellAt(told);
    this.#table.save({ told: { ...seen, at: now, version: told.version + 1 } });
    this.#ports.transition(seen.state, isSilent && seen.state === 'offline' && this.wish.choice !== 'offline');
    return null;
  }

  /** A socket was closed: it vouches a little longer, so that a reload is no flicker. */
  closed(idle: boolean): void {
    const now = this.#ports.clock();
    this.#table.save({ closed: longer(this.#table.row.closed, leaseUntil(now + CLOSED_MS, idle)) });
    this.update();
  }

  /** The newest choice wins; one that comes late, or again, changes nothing. Whether it did. */
  choose(wish: Wish): boolean {
    if (wish.version <= this.#table.row.wish.version) return false;
    this.#table.save({ wish });
    this.update();
    return true;
  }

}

const earliest = (times: readonly (number | null)[]): number | null => {
  const set = times.filter((time) => time !== null);
  return set.length === 0 ? null : Math.min(...set);
};
