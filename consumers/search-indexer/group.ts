import type postgres from 'postgres';
import { applyFileChanges, applyIndexChanges, applyPeopleChanges, type IndexSide } from '../../db/queries/search-index.ts';
import { ceType } from '../../protocol/topics.ts';
import type { Consumed, ConsumerGroup } from '../runtime/group.ts';
import { INDEX_SOURCES, type SearchEvent, searchEventSchema } from './events.ts';
import { foldChanges } from './fold.ts';
import { foldFiles } from './fold-files.ts';
import { foldPeople } from './fold-people.ts';

const sources = Object.values(INDEX_SOURCES);

/** Keeps `search_messages`, `search_people` and `search_files` the folds of their topics (G7); one statement a batch and index. */
export const searchIndexer: ConsumerGroup<SearchEvent> = {
  id: 'search-indexer',
  topics: sources.map(({ topic }) => topic),
  types: new Set(sources.flatMap(({ types }) => types.map((type) => ceType(type)))),
  schema: searchEventSchema,
  apply: (tx, events) => applyToIndexes(tx, events, 'live'),
};

export async function applyToIndexes(tx: postgres.ISql, events: readonly Consumed<SearchEvent>[], side: IndexSide): Promise<void> {
  await applyIndexChanges(tx, foldChanges(events), side);
  await applyPeopleChanges(tx, foldPeople(events), side);
  await applyFileChanges(tx, foldFiles(events), side);
}
