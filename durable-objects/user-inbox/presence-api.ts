import type { UserPresence } from '../../protocol/presence.ts';

/** What a room is told of one user. `version` rises with each change of what others see: an older notice that comes late is void. */
export interface PresenceNotice {
  readonly presence: UserPresence;
  readonly version: number;
}

/** `watching` false: as many rooms as may be are told of this user, and the room that asked is not one of them. */
export interface WatchedPresence extends PresenceNotice {
  readonly watching: boolean;
}
