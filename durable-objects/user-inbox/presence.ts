import { HEARTBEAT_SECONDS, PRESENCE_EVERY_SECONDS } from '../../protocol/limits.ts';
import type { CustomStatus, PresenceChoice, PresenceState } from '../../protocol/presence.ts';

/** A socket vouches for its user so long after it was last heard of, in milliseconds; and so long after a clean close, so that a reload is no flicker. */
export const LEASE_MS = 3 * HEARTBEAT_SECONDS * 1_000;
export const CLOSED_MS = 10_000;
const EVERY_MS = PRESENCE_EVERY_SECONDS * 1_000;

/** Until when sockets vouch for their user, in epoch milliseconds; 0: none does. `active`: those at which the user is. `any`: those and the idle ones. */
export interface Lease {
  readonly active: number;
  readonly any: number;
}

export const NO_LEASE: Lease = { active: 0, any: 0 };
export const leaseUntil = (until: number, idle: boolean): Lease => ({ active: idle ? 0 : until, any: until });
export const longer = (some: Lease, other: Lease): Lease => ({ active: Math.max(some.active, other.active), any: Math.max(some.any, other.any) });

/** What the user chose. `version` is Postgres' own, 0 before the first choice. */
export interface Wish {
  readonly choice: PresenceChoice;
  readonly status: CustomStatus | null;
  readonly version: number;
}

/** What others see. */
export interface Seen {
  readonly state: PresenceState;
  readonly status: CustomStatus | null;
}

/** What others have been told, and when: epoch milliseconds. `version` rises with each. */
export interface Told extends Seen {
  readonly at: number;
  readonly version: number;
}

export const seenAt = (lease: Lease, wish: Wish, now: number): Seen => ({ state: stateAt(lease, wish.choice, now), status: statusAt(wish.status, now) });

function stateAt(lease: Lease, choice: PresenceChoice, now: number): PresenceState {
  if (lease.any <= now || choice === 'offline') return 'offline';
  if (choice !== 'auto') return choice;
  return lease.active > now ? 'online' : 'away';
}

const expiry = (status: CustomStatus | null): number => (status === null || status.expires_at === null ? Infinity : Date.parse(status.expires_at));
const statusAt = (status: CustomStatus | null, now: number): CustomStatus | null => (expiry(status) <= now ? null : status);

/** When time alone next changes what others see, unless a lease is renewed until then; null: never. Leases that end before others change nothing. */
export function nextChangeAt(lease: Lease, { choice, status }: Wish, now: number): number | null {
  const ends = [expiry(status), ...(choice === 'offline' ? [] : [lease.any]), ...(choice === 'auto' ? [lease.active] : [])];
  const next = Math.min(...ends.filter((end) => end > now));
  return Number.isFinite(next) ? next : null;
}

export const sameSeen = (some: Seen, other: Seen): boolean => some.state === other.state && JSON.stringify(some.status) === JSON.stringify(other.status);

/** When a change may be told: at most one in 5 s, so the last of a flutter is told when that time is over. */
export const mayTellAt = ({ at }: Told): number => at + EVERY_MS;
