import type { PersonChange } from '../../db/queries/search-index.ts';
import type { Consumed } from '../runtime/group.ts';
import type { SearchEvent } from './events.ts';

/** Folds events, in order, into at most one change a person. */
export function foldPeople(events: readonly Consumed<SearchEvent>[]): PersonChange[] {
  const changes = new Map<string, PersonChange>();
  for (const { event } of events) {
    if (event.type !== 'user.created' && event.type !== 'user.updated') continue;
    const { user: { id, handle, display_name }, version } = event;
    const before = changes.get(id);
    if (before !== undefined && before.version >= version) continue;
    const said = event.type === 'user.updated' ? event.deactivated : undefined;
    changes.set(id, { id, handle, display_name, version, deactivated: said ?? before?.deactivated ?? null });
  }
  return [...changes.values()];
}
