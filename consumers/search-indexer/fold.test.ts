import { describe, expect, it } from 'vitest';
import { created, deleted, edited } from '../../tests/support/event-log.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { foldChanges } from './fold.ts';

const KEY = '0190a1b2-0000-7000-8000-000000000001';
const fold = (events: readonly ChannelEvent[]) => foldChanges(events.map((event, index) => ({ key: KEY, position: index + 1, event })));

describe('foldChanges', () => {
  const first = created(1, 'first');
  const { message_id: id, actor_id: author_id } = first;

  it('puts a message with its last text', () => {
    expect(fold([first, edited(2, id, 'second'), edited(3, id, 'third', 3)])).toEqual([{ op: 'put', id, channel_id: KEY, author_id, seq: 3, text: 'third' }]);
  });

  it('edits what an earlier batch put', () => {
    expect(fold([edited(2, id, 'second')])).toEqual([{ op: 'edit', id, seq: 2, text: 'second' }]);
  });

  it('deletes whatever came before', () => {
    expect(fold([first, edited(2, id, 'second'), deleted(3, id)])).toEqual([{ op: 'delete', id, seq: 3 }]);
  });

  it('G2: does not go back for an event that is older than what it has', () => {
    expect(fold([deleted(3, id), first, edited(4, id, 'ghost')])).toEqual([{ op: 'delete', id, seq: 3 }]);
    expect(fold([edited(5, id, 'new'), edited(2, id, 'old')])).toEqual([{ op: 'edit', id, seq: 5, text: 'new' }]);
  });

  it('folds each message by itself', () => {
    expect(fold([first, created(2, 'other'), deleted(3, id)]).map(({ op }) => op)).toEqual(['delete', 'put']);
  });
});
