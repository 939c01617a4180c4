import { integer, jsonb, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import type { LinkPreview } from '../../protocol/previews.ts';
import { bytea, counter, moment } from './columns.ts';

/** What is kept of messages beside themselves, and the settings of the workspace; see `tables.ts`. */
export const pins = pgTable('pins', {
  message_id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  pinned_by: uuid().notNull(),
  pinned_at: moment().notNull(),
  seq: counter().notNull(),
});

export const messagePreviews = pgTable('message_previews', {
  message_id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  revision: integer().notNull(),
  previews: jsonb().$type<readonly LinkPreview[]>().notNull(),
  removed_seq: counter(),
});

const linkMessages = pgTable('link_messages', {
  message_id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  author_id: uuid().notNull(),
  revision: integer().notNull(),
  urls: text().array().notNull(),
  noted_at: moment().notNull().defaultNow(),
  due_at: moment().notNull().defaultNow(),
  lease: uuid(),
  told: integer().notNull().default(0),
});

const linkPages = pgTable('link_pages', {
  url_hash: bytea().primaryKey(),
  url: text(),
  site: text().notNull(),
  state: text().$type<'waiting' | 'found' | 'none'>().notNull().default('waiting'),
  requested_at: moment().notNull().defaultNow(),
  due_at: moment().notNull().defaultNow(),
  lease: uuid(),
  attempts: integer().notNull().default(0),
  failure: text(),
  preview: jsonb().$type<Omit<LinkPreview, 'url'>>(),
  expires_at: moment(),
});

const linkSites = pgTable('link_sites', {
  site: text().primaryKey(),
  next_at: moment().notNull().defaultNow(),
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

export const messageTables = { pins, messagePreviews, linkMessages, linkPages, linkSites, messageRevisions, workspaceSettings, savedLists, savedMessages };
