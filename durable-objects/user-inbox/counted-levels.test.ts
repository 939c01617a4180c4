import { uuidv7 } from 'uuidv7';
import { expect, it } from 'vitest';
import type { InboxBadge } from '../../protocol/tellings.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { mergeBadge } from './badge-merge.ts';
import { CountedLevels } from './counted-levels.ts';
import type { InboxChannel } from './inbox-channels.ts';

const channel_id = uuidv7();
const UNKNOWN: InboxChannel = {
  channel_id, role: 'member', version: 1, announced: 1, notified_seq: 0, read_pos: 0, read_generation: 0, epoch: 0, as_of_seq: 0, last_pos: 0, unread: 0, mentions: 0,
};
/** By `settings_version` and moment; what it counts tells which was taken. */
const badge = (settings_version: number | undefined, as_of_seq: number, epoch = 1): InboxBadge => ({
  channel_id, role: 'member', version: 1, epoch, as_of_seq, last_pos: as_of_seq, read_pos: 0, unread: 100 * epoch + as_of_seq, mentions: settings_version ?? 0, settings_version,
});

/** [unread, mentions] after these, told one after the other. */
function shown(...told: InboxBadge[]): [number, number] {
  const levels = new CountedLevels(nodeSqlite());
  const { unread, mentions } = told.reduce((known, one) => (levels.admits(one, known) ? mergeBadge(known, one) : known), UNKNOWN);
  return [unread, mentions];
}

it('of one moment the badge that was counted by the most is kept, in whatever order they come', () => {
  expect(shown(badge(2, 1), badge(3, 1), badge(2, 1))).toEqual([101, 3]);
  expect(shown(badge(3, 1), badge(2, 1), badge(2, 1))).toEqual([101, 3]);
  expect(shown(badge(0, 1), badge(undefined, 1))).toEqual([101, 0]);
});

it('of an older moment none is taken, nor what it was counted by', () => {
  expect(shown(badge(3, 2), badge(2, 1), badge(2, 2))).toEqual([102, 3]);
  expect(shown(badge(3, 1, 2), badge(9, 7, 1), badge(4, 1, 2))).toEqual([201, 4]);
});

it('of a newer moment each is taken, for a Postgres that was put back from a backup has less', () => {
  expect(shown(badge(9, 1), badge(4, 2))).toEqual([102, 4]);
  expect(shown(badge(9, 1), badge(4, 2), badge(9, 1), badge(5, 2), badge(4, 2))).toEqual([102, 5]);
  expect(shown(badge(9, 8), badge(4, 2, 2))).toEqual([202, 4]);
});
