import type { IndexChange } from '../../db/queries/search-index.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import type { Consumed } from '../runtime/group.ts';
import type { SearchEvent } from './events.ts';

/** Folds events, in order, into at most one change a message. Only an event that is newer than what is folded so far counts. */
export function foldChanges(events: readonly Consumed<SearchEvent>[]): IndexChange[] {
  const changes = new Map<string, IndexChange>();
  for (const { key, event } of events) {
    if (!isOfMessage(event)) continue;
    const before = changes.get(event.message_id);
    if (before === undefined || before.seq < event.seq) changes.set(event.message_id, changeBy(key, event, before));
  }
  return [...changes.values()];
}

type OfMessage = Extract<ChannelEvent, { type: 'message.created' | 'message.edited' | 'message.deleted' }>;
const isOfMessage = (event: SearchEvent): event is OfMessage => event.type === 'message.created' || event.type === 'message.edited' || event.type === 'message.deleted';

function changeBy(channelId: string, event: OfMessage, before: IndexChange | undefined): IndexChange {
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
  }
}
