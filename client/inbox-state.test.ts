import { describe, expect, it } from 'vitest';
import type { Badge } from '../protocol/frames.ts';
import { seedsOfRun } from '../tests/support/seed.ts';
import { EMPTY_INBOX, type InboxState, applyBadges, applyInboxEvents, readPlaceIn, withInboxRead } from './inbox-state.ts';
import { InboxModel } from './testing/inbox-model.ts';
import { integer, pick, seededRandom } from './testing/random.ts';

const at = (pos: number, generation = 0) => ({ generation, pos });
const unread = ({ badges }: InboxState) => new Map([...badges].filter(([, badge]) => badge.unread > 0));
const badge = (fields: Partial<Badge>): Badge => ({ channel_id: 'c', last_pos: 9, read_pos: 2, unread: 5, mentions: 1, ...fields });

describe('inbox state', () => {
  it('G4: old badges + changes = fresh badges: unread = count(pos > read_pos, not own, not deleted)', () => {
    for (const seed of seedsOfRun(300)) {
      const random = seededRandom(seed);
      const inbox = new InboxModel();
      let state: InboxState = EMPTY_INBOX;
      let seq = 0;
      const hear = (count: number) => {
        state = applyInboxEvents(state, inbox.log.slice(seq, seq + count));
        seq = Math.min(inbox.head, seq + count);
      };
      for (let i = 0; i < 80; i += 1) {
        const what = pick(random, ['grow', 'grow', 'grow', 'hear', 'badges', 'read', 'reconnect'] as const);
        if (what === 'grow') inbox.grow(random);
        else if (what === 'hear') hear(1 + integer(random, 5));
        // Events go before the badges that count them: the inbox sends its log first.
        else if (what === 'badges') {
          hear(Infinity);
          state = applyBadges(state, inbox.changedBadges(), false);
        } else if (what === 'read') {
          const channelId = `channel-${integer(random, 4)}`;
          // As a device does that has not heard everything: by the generation that it knows.
          const told = inbox.read(channelId, inbox.lastPos(channelId), readPlaceIn(state, channelId).generation);
          if (told !== null) state = withInboxRead(state, channelId, told);
        } else {
          hear(Infinity);
          inbox.changedBadges();
          state = applyBadges(state, inbox.badges(), true);
        }
      }
      hear(Infinity);
      state = applyBadges(state, inbox.changedBadges(), false);
      const fresh = unread(applyBadges(EMPTY_INBOX, inbox.badges(), true));
      expect(unread(state), `seed ${seed}`).toEqual(fresh);
    }
  });

  it('shows nothing again as unread that was read here, whenever the badge of before arrives', () => {
    const read = withInboxRead(applyBadges(EMPTY_INBOX, [badge({})], true), 'c', at(9));
    expect(read.badges.get('c')).toMatchObject({ unread: 0, mentions: 0, read_pos: 9 });
    const late = applyBadges(read, [badge({ unread: 4 })], false);
    expect(late.badges.get('c')?.unread).toBe(0);
    expect(applyBadges(late, [badge({ last_pos: 11, read_pos: 9, unread: 2 })], false).badges.get('c')?.unread).toBe(2);
  });

  it('counts no more as unread than what is after the marker, until the badge comes that knows', () => {
    const state = withInboxRead(applyBadges(EMPTY_INBOX, [badge({})], true), 'c', at(7));
    expect(state.badges.get('c')).toMatchObject({ unread: 2, mentions: 1 });
  });

  it('goes back where something was marked as unread, and forward by that generation alone', () => {
    const read = withInboxRead(applyBadges(EMPTY_INBOX, [badge({})], true), 'c', at(9));
    const back = applyInboxEvents(read, [{ type: 'read.moved', seq: 1, id: 'e', at: 'now', channel_id: 'c', read_pos: 4, generation: 1 }]);
    expect(back.read.get('c')).toEqual(at(4, 1));
    expect(withInboxRead(back, 'c', at(9))).toBe(back);
    // A badge of before is older, one of after counts.
    expect(applyBadges(back, [badge({ read_pos: 9, unread: 0 })], false).badges.get('c')?.read_pos).toBe(4);
    expect(applyBadges(back, [badge({ read_pos: 4, read_generation: 1, unread: 3 })], false).badges.get('c')?.unread).toBe(3);
    expect(withInboxRead(back, 'c', at(9, 1)).badges.get('c')).toMatchObject({ read_pos: 9, read_generation: 1, unread: 0 });
  });

  it('moves no marker back, and forgets one with the channel', () => {
    const state = withInboxRead(EMPTY_INBOX, 'c', at(7));
    expect(withInboxRead(state, 'c', at(3))).toBe(state);
    const left = applyInboxEvents(state, [{ type: 'channel.left', seq: 1, id: 'e', at: 'now', channel_id: 'c', actor_id: 'a' }]);
    expect(left.read.size).toBe(0);
  });
});
