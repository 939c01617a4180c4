import { integer, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import { counter, moment } from './columns.ts';

/** What is kept of messages beside themselves, and the settings of the workspace; see `tables.ts`. */
export const pins = pgTable('pins', {
  message_id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  pinned_by: uuid().notNull(),
  pinned_at: moment().notNull(),
  seq: counter().notNull(),
});

const messageRevisions = pgTable('message_revisions', {
  message_id: uuid().notNull(),
  revision: integer().notNull(),
  text: text().notNull(),
  written_at: moment().notNull(),
});

const workspaceSettings = pgTable('workspace_settings', {
  id: smallint().primaryKey().default(1),
  edit_window_seconds: integer().default(900),
  version: integer().notNull().default(0),
});

const savedLists = pgTable('saved_lists', {
  user_id: uuid().primaryKey(),
  size: integer().notNull(),
  version: counter().notNull(),
});

const savedMessages = pgTable('saved_messages', {
  user_id: uuid().notNull(),
  message_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  number: counter().notNull(),
  saved_at: moment().notNull(),
});

export const messageTables = { pins, messageRevisions, workspaceSettings, savedLists, savedMessages };
