import type { IndexChange } from '../../db/queries/search-index.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import type { Consumed } from '../runtime/group.ts';

/** Folds events, in order, into at most one change a message. Only an event that is newer than what is folded so far counts. */
export function foldChanges(events: readonly Consumed<ChannelEvent>[]): IndexChange[] {
  const changes = new Map<string, IndexChange>();
  for (const { key, event } of events) {
    if (!('message_id' in event)) continue;
    const before = changes.get(event.message_id);
    const change = before !== undefined && before.seq >= event.seq ? before : changeBy(key, event, before);
    if (change !== undefined) changes.set(event.message_id, change);
  }
  return [...changes.values()];
}

function changeBy(channelId: string, event: Extract<ChannelEvent, { message_id: string }>, before: IndexChange | undefined): IndexChange | undefined {
  const { message_id: id, seq } = event;
  switch (event.type) {
    case 'message.created':
      return { op: 'put', id, channel_id: channelId, author_id: event.actor_id, seq, text: event.text };
    case 'message.edited':
      // An edit after a deletion cannot be; should one come, the deletion stands.
      if (before?.op === 'delete') return before;
      return before?.op === 'put' ? { ...before, seq, text: event.text } : { op: 'edit', id, seq, text: event.text };
    case 'message.deleted':
      return { op: 'delete', id, seq };
    default:
      return before;
  }
}
