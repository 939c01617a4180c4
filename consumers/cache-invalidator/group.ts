import { CACHE_SECONDS, profileKey } from '../../db/cache-keys.ts';
import { type DirectoryEvent, directoryEventSchema } from '../../protocol/directory-events.ts';
import { ceType } from '../../protocol/topics.ts';
import type { Consumed, ConsumerGroup } from '../runtime/group.ts';
import type { SharedCache } from './redis.ts';

/**
 * What an event made stale has ended by itself so long after it: nothing is kept for half of that, and a clock may be wrong by the other half. So a cache
 * that is away holds the group up no longer than this (G8), and one that starts on an old database has nothing to do. Milliseconds.
 */
const STALE_MS = 2 * CACHE_SECONDS * 1_000;

/**
 * Forgets in the second cache level what a change of the directory made stale (G7): the Worker does so itself after its commit, and its call may be lost.
 * Users are all that is kept there. `clock` in epoch milliseconds.
 */
export const cacheInvalidator = (cache: SharedCache, clock: () => number): ConsumerGroup<DirectoryEvent> => ({
  id: 'cache-invalidator',
  topics: ['user.events'],
  types: new Set([ceType('user.updated')]),
  schema: directoryEventSchema,
  apply: (_, events) => cache.forget(staleKeys(events, clock() - STALE_MS)),
});

/** The keys that events later than `since` have made stale, each once. */
function staleKeys(events: readonly Consumed<DirectoryEvent>[], since: number): string[] {
  const keys = events.flatMap(({ event }) => (event.type === 'user.updated' && Date.parse(event.at) > since ? [profileKey(event.user.id)] : []));
  return [...new Set(keys)];
}
