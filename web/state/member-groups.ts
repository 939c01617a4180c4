import type { MemberRole } from '../../protocol/events.ts';
import type { CustomStatus, PresenceState, UserPresence } from '../../protocol/presence.ts';

export interface ListedMember {
  readonly id: string;
  readonly name: string;
  readonly role: MemberRole;
  /** Null where presence is not told by name. */
  readonly state: PresenceState | null;
  readonly status: CustomStatus | null;
}

export interface MemberGroup {
  readonly title: string;
  readonly members: readonly ListedMember[];
}

/**
 * Members as they are shown: who is here, then who is not, each by name. `presence` null is a large channel, which tells numbers only: there all
 * are one group. A group without members is left out.
 */
export function groupMembers(
  roles: ReadonlyMap<string, MemberRole>,
  nameOf: (id: string) => string,
  presence: ReadonlyMap<string, UserPresence> | null,
): MemberGroup[] {
  const listed = [...roles].map(([id, role]): ListedMember => {
    const seen = presence?.get(id);
    return { id, role, name: nameOf(id), state: presence && (seen?.state ?? 'offline'), status: seen?.status ?? null };
  });
  const sorted = listed.toSorted((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
  const groups = presence === null
    ? [{ title: 'Members', members: sorted }]
    : [
        { title: 'Here', members: sorted.filter(({ state }) => state !== 'offline') },
        { title: 'Offline', members: sorted.filter(({ state }) => state === 'offline') },
      ];
  return groups.filter(({ members }) => members.length > 0);
}
