import { beforeEach, describe, expect, it } from 'vitest';
import type { FoundMembership } from '../../db/queries/room-bootstrap.ts';
import type { MemberRole } from '../../protocol/events.ts';
import { ALICE, BOB, CHANNEL, conversation, EVE, id, logged, NOW, parsed } from '../../tests/support/room-core.ts';
import type { Conversation } from './conversation.ts';
import { applyMemberChange, MembershipLookup } from './membership.ts';
import type { MemberChange } from './room-api.ts';

let room: Conversation;
beforeEach(() => {
  room = conversation();
});

const change = (version: number, role: MemberRole | null, user = EVE): MemberChange => ({
  event_id: id(5, version), user_id: user.user_id, actor_id: ALICE.user_id, role, version,
});

describe('applyMemberChange', () => {
  it('announces under the id of the event that it repeats', () => {
    const [event] = parsed(applyMemberChange(room, change(5, 'member'), NOW));
    expect(event).toEqual({ type: 'member.added', seq: 1, id: id(5, 5), at: '2026-11-23T00:00:00.000Z', actor_id: ALICE.user_id, user_id: EVE.user_id, role: 'member' });
    expect(room.access.isMember(EVE.user_id)).toBe(true);
  });

  it('does nothing for a repetition, or for what is older (G2)', () => {
    applyMemberChange(room, change(5, 'member'), NOW);
    applyMemberChange(room, change(6, null), NOW);
    expect(applyMemberChange(room, change(6, null), NOW)).toEqual([]);
    expect(applyMemberChange(room, change(5, 'member'), NOW)).toEqual([]);
    expect([logged(room).length, room.access.isMember(EVE.user_id)]).toEqual([2, false]);
  });

  it('remembers a removal that came before the addition it revokes (G5)', () => {
    applyMemberChange(room, change(6, null), NOW);
    applyMemberChange(room, change(5, 'member'), NOW);
    expect(room.access.isMember(EVE.user_id)).toBe(false);
  });

  it('announces late what was learned from Postgres before, and keeps the newer state', () => {
    room.access.setMembership(EVE.user_id, { role: 'admin', version: 7, announced: 0 });
    const events = [change(5, 'member'), change(6, null), change(7, 'admin')].flatMap((late) => parsed(applyMemberChange(room, late, NOW)));
    expect(events.map(({ type }) => type)).toEqual(['member.added', 'member.removed', 'member.added']);
    expect(room.access.membership(EVE.user_id)).toEqual({ role: 'admin', version: 7, announced: 7 });
  });
});

describe('MembershipLookup', () => {
  let found: FoundMembership | null | Error;
  let lookups: string[];
  let now: number;
  let lookup: MembershipLookup;

  beforeEach(() => {
    [found, lookups, now] = [null, [], NOW];
    const findMembership = async (channelId: string, userId: string): Promise<FoundMembership | null> => {
      lookups.push(userId);
      expect(channelId).toBe(CHANNEL);
      if (found instanceof Error) throw found;
      return found;
    };
    lookup = new MembershipLookup(room, { findMembership }, () => now);
  });

  it('learns a member of whom the room was not told, and leaves the announcement to the one who tells', async () => {
    found = { kind: 'public', channel_version: 1, role: 'member', version: 9 };
    expect(await lookup.heal(EVE.user_id)).toBeNull();
    expect(room.access.membership(EVE.user_id)).toEqual({ role: 'member', version: 9, announced: 0 });
    expect(applyMemberChange(room, change(9, 'member'), NOW)).toHaveLength(1);
  });

  it('looks up once for many who ask at once', async () => {
    await Promise.all([1, 2, 3].map(() => lookup.heal(EVE.user_id)));
    expect(lookups).toHaveLength(1);
  });

  it('does not look up again for 5 s a user whom Postgres does not list (G8)', async () => {
    found = { kind: 'public', channel_version: 1, role: null, version: null };
    await lookup.heal(EVE.user_id);
    now += 4_999;
    await lookup.heal(EVE.user_id);
    expect(lookups).toHaveLength(1);
    now += 1;
    await lookup.heal(EVE.user_id);
    expect(lookups).toHaveLength(2);
  });

  it('runs at most 32 lookups at a time (G8)', async () => {
    const problems = await Promise.all(Array.from({ length: 40 }, (_, number) => lookup.heal(id(2, 100 + number))));
    expect(problems.filter((problem) => problem?.code === 'unavailable')).toHaveLength(8);
  });

  it('never puts an older answer over a newer change', async () => {
    found = { kind: 'public', channel_version: 1, role: 'member', version: 5 };
    const healing = lookup.heal(BOB.user_id);
    applyMemberChange(room, change(6, null, BOB), NOW);
    await healing;
    expect(room.access.isMember(BOB.user_id)).toBe(false);
  });

  it('learns what kind the channel is by now', async () => {
    found = { kind: 'private', channel_version: 1, role: null, version: null };
    await lookup.heal(EVE.user_id);
    expect(room.kind).toBe('private');
  });

  it('never puts the kind of an older answer over that of a newer change', async () => {
    found = { kind: 'public', channel_version: 1, role: null, version: null };
    const healing = lookup.heal(EVE.user_id);
    room.setKind('private', 2);
    await healing;
    expect(room.kind).toBe('private');
  });

  it('answers unavailable while Postgres is away, and asks again', async () => {
    found = new Error('away');
    expect(await lookup.heal(EVE.user_id)).toMatchObject({ code: 'unavailable' });
    found = { kind: 'public', channel_version: 1, role: 'member', version: 9 };
    expect(await lookup.heal(EVE.user_id)).toBeNull();
  });
});
