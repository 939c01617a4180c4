import { z } from 'zod';
import { directoryEventSchema } from '../../protocol/directory-events.ts';
import { channelEventSchema } from '../../protocol/events.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import type { Topic } from '../../protocol/topics.ts';
import type { SearchKind } from '../../db/schema/search-tables.ts';

export const searchEventSchema = z.discriminatedUnion('type', [...channelEventSchema.options, ...directoryEventSchema.options, ...fileEventSchema.options]);
export type SearchEvent = z.infer<typeof searchEventSchema>;

/** What each index is a fold of. */
export const INDEX_SOURCES = {
  messages: { topic: 'message.events', types: ['message.created', 'message.edited', 'message.deleted'] },
  people: { topic: 'user.events', types: ['user.created', 'user.updated'] },
  files: { topic: 'file.events', types: ['file.uploaded', 'file.updated', 'file.deleted'] },
} as const satisfies Record<SearchKind, { readonly topic: Topic; readonly types: readonly SearchEvent['type'][] }>;
