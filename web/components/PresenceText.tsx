import type { PresenceState } from '../../protocol/presence.ts';
import { PRESENCE_WORDS } from '../state/presence-words.ts';

/** What the dot of an avatar shows, for screen readers: put it behind the name. */
export function PresenceText({ state }: { state: PresenceState | null | undefined }) {
  return state ? <span class="visually-hidden">, {PRESENCE_WORDS[state]}</span> : null;
}
