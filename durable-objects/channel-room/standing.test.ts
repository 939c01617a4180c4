import { beforeEach, describe, expect, it } from 'vitest';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { ALICE, conversation, EVE, id, logged, reopen } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import { accessProblem } from './commands.ts';
import type { Conversation } from './conversation.ts';
import { announceStanding } from './standing.ts';

let sql: SqlDriver;
let room: Conversation;
beforeEach(() => {
  sql = nodeSqlite();
  room = conversation({ sql });
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

  it('makes the room private for who is no member, and public again: the next is told so, and who is live hears of it', () => {
    const kinds = ['private', 'public'] as const;
    const refusals = kinds.map((kind, n) => {
      const { change, ...rest } = standing(2 + n);
      announceStanding(room, { ...rest, change: { ...change, kind } }, 0);
      return [room.kind, accessProblem(room, EVE, 0)?.code, reopen(sql).kind];
    });
    expect(refusals).toEqual([['private', 'not_found', 'private'], ['public', 'not_a_member', 'public']]);
    expect(logged(room)).toMatchObject([{ version: 2, kind: 'private' }, { version: 3, kind: 'public' }]);
  });

  it('leaves the kind as it is where nobody says, and where a later version is known', () => {
    const { change, ...rest } = standing(5);
    announceStanding(room, { ...rest, change: { ...change, kind: 'private' } }, 0);
    announceStanding(room, standing(6), 0);
    room.setKind('public', 4);
    announceStanding(room, { ...standing(5), change: { ...change, kind: 'public' } }, 0);
    expect(room.kind).toBe('private');
    expect(logged(room).at(-1)).not.toHaveProperty('kind');
  });

  it('takes what a release before this one tells, and announces nothing', () => {
    expect(announceStanding(room, { archived: true, version: 2 }, 0)).toEqual([]);
    expect(room.isArchived).toBe(true);
  });
});
