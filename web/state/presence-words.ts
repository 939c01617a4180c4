import type { PresenceState } from '../../protocol/presence.ts';

/** A presence in words, for those who do not see its dot. */
export const PRESENCE_WORDS: Readonly<Record<PresenceState, string>> = { online: 'online', away: 'away', dnd: 'do not disturb', offline: 'offline' };
