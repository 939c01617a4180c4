import { boolean, customType, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { counter, moment } from './columns.ts';

/** The indexes of search. */
export type SearchKind = 'messages' | 'people' | 'files';

const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });

export const searchMessages = pgTable('search_messages', {
  id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  author_id: uuid().notNull(),
  seq: counter().notNull(),
  text: text().notNull(),
  tsv: tsvector().notNull().generatedAlwaysAs("to_tsvector('simple', text)"),
});

const searchPeople = pgTable('search_people', {
  id: uuid().primaryKey(),
  handle: text().notNull(),
  display_name: text().notNull(),
  version: integer().notNull(),
  deactivated: boolean().notNull(),
});

const searchFiles = pgTable('search_files', {
  id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  uploader_id: uuid().notNull(),
  name: text().notNull(),
  version: integer().notNull(),
});

const searchIndexes = pgTable('search_indexes', {
  kind: text().$type<SearchKind>().primaryKey(),
  config: text(),
});

const searchRebuilds = pgTable('search_rebuilds', {
  kind: text().$type<SearchKind>().primaryKey(),
  source: text().$type<'postgres' | 'log'>().notNull(),
  config: text(),
  state: text().$type<'filling' | 'filled' | 'swapped'>().notNull().default('filling'),
  cursor: text(),
  filled: counter().notNull().default(0),
  started_at: moment().notNull().defaultNow(),
  updated_at: moment().notNull().defaultNow(),
});

const searchRebuildChanges = pgTable('search_rebuild_changes', {
  kind: text().$type<SearchKind>().notNull(),
  id: uuid().notNull(),
});

/** Queries of search are SQL: these tables are described to be held to the database. */
export const searchTables = { searchMessages, searchPeople, searchFiles, searchIndexes, searchRebuilds, searchRebuildChanges };
