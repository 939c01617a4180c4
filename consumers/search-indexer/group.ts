import { applyIndexChanges } from '../../db/queries/search-index.ts';
import { type ChannelEvent, channelEventSchema } from '../../protocol/events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { ConsumerGroup } from '../runtime/group.ts';
import { foldChanges } from './fold.ts';

/** Keeps `search_messages` the fold of `message.events` (G7): created, edited, deleted; one statement a batch. */
export const searchIndexer: ConsumerGroup<ChannelEvent> = {
  id: 'search-indexer',
  topics: ['message.events'],
  types: new Set([ceType('message.created'), ceType('message.edited'), ceType('message.deleted')]),
  schema: channelEventSchema,
  apply: (tx, events) => applyIndexChanges(tx, foldChanges(events)),
};
