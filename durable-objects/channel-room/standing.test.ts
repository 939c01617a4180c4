import { beforeEach, describe, expect, it } from 'vitest';
import { ALICE, conversation, id, logged } from '../../tests/support/room-core.ts';
import type { Conversation } from './conversation.ts';
import { announceStanding } from './standing.ts';

let room: Conversation;
beforeEach(() => {
  room = conversation();
});

const standing = (version: number, archived = false) => ({
  archived,
  version,
  change: { event_id: id(version, 9), actor_id: ALICE.user_id, name: `name-${version}`, topic: 't', purpose: 'p', archived_at: archived ? '2026-11-23T00:00:00.000Z' : null },
});

describe('announceStanding', () => {
  it('announces each version once, under the id of the directory\'s event; an older one that comes late not at all (G2)', () => {
    for (const one of [standing(2), standing(2), standing(4, true), standing(3)]) announceStanding(room, one, 0);
    expect(logged(room)).toMatchObject([
      { type: 'channel.changed', id: id(2, 9), actor_id: ALICE.user_id, name: 'name-2', topic: 't', purpose: 'p', archived_at: null, version: 2 },
      { id: id(4, 9), name: 'name-4', archived_at: '2026-11-23T00:00:00.000Z', version: 4 },
    ]);
    expect(room.isArchived).toBe(true);
  });

  it('takes what a release before this one tells, and announces nothing', () => {
    expect(announceStanding(room, { archived: true, version: 2 }, 0)).toEqual([]);
    expect(room.isArchived).toBe(true);
  });
});
