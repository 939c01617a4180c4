import type { ServerFrame } from '../protocol/frames.ts';
import type { CustomStatus, PresenceState, UserPresence } from '../protocol/presence.ts';

type PresenceFrame = Extract<ServerFrame, { type: 'presence' }>;

/** Who of a channel is present, as far as it was told. */
export interface ChannelPresence {
  /** By user id; null in a large channel, which tells numbers only. Who is not in it is offline. */
  readonly users: ReadonlyMap<string, UserPresence> | null;
  readonly present: number;
}

export const NOBODY: ChannelPresence = { users: new Map(), present: 0 };

/** Takes a frame: all of it, or what has changed. */
export function applyPresence(known: ChannelPresence, { full, users, present }: PresenceFrame): ChannelPresence {
  if (users === null) return { users: null, present };
  const all = new Map(full ? [] : known.users);
  for (const user of users) {
    if (user.state === 'offline' && user.status === null) all.delete(user.user_id);
    else all.set(user.user_id, user);
  }
  return { users: all, present };
}

export const presenceOf = ({ users }: ChannelPresence, userId: string): PresenceState => users?.get(userId)?.state ?? 'offline';

/** A status as long as it holds. `now` in epoch milliseconds. */
export function currentStatus(status: CustomStatus | null | undefined, now: number): CustomStatus | null {
  if (!status) return null;
  return status.expires_at === null || Date.parse(status.expires_at) > now ? status : null;
}
