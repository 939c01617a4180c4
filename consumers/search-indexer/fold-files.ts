import type { FileChange } from '../../db/queries/search-index.ts';
import type { Consumed } from '../runtime/group.ts';
import type { SearchEvent } from './events.ts';

/** Folds events, in order, into at most one change a file: only what is clean is found. */
export function foldFiles(events: readonly Consumed<SearchEvent>[]): FileChange[] {
  const changes = new Map<string, FileChange>();
  for (const { event } of events) {
    if (event.type !== 'file.uploaded' && event.type !== 'file.updated' && event.type !== 'file.deleted') continue;
    const { file: { id, channel_id, uploader_id, name, status }, version } = event;
    const before = changes.get(id);
    if (before !== undefined && before.version >= version) continue;
    const isFound = event.type !== 'file.deleted' && status === 'clean';
    changes.set(id, isFound ? { op: 'put', id, channel_id, uploader_id, name, version } : { op: 'remove', id, version });
  }
  return [...changes.values()];
}
