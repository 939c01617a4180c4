import { integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import type { ScheduleFailure, ScheduleStatus } from '../../protocol/scheduled-messages.ts';
import { counter, moment } from './columns.ts';

export const scheduledMessages = pgTable('scheduled_messages', {
  id: uuid().primaryKey(),
  author_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  thread_id: uuid(),
  text: text().notNull(),
  file_ids: jsonb().$type<string[]>().notNull().default([]),
  send_at: moment().notNull(),
  status: text().$type<ScheduleStatus>().notNull().default('pending'),
  failure: text().$type<ScheduleFailure>(),
  message_id: uuid(),
  settled_at: moment(),
  due_at: moment().notNull(),
  lease: uuid(),
  attempts: integer().notNull().default(0),
  version: integer().notNull().default(1),
  created_at: moment().notNull().defaultNow(),
});

const threadFollowers = pgTable('thread_followers', {
  root_id: uuid().notNull(),
  user_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  auto_since: counter(),
  choice: text().$type<'followed' | 'unfollowed'>(),
  choice_tpos: counter(),
  choice_version: integer().notNull().default(0),
  renamed_tpos: counter(),
  since_tpos: counter(),
});

const threadReadStates = pgTable('thread_read_states', {
  user_id: uuid().notNull(),
  root_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  read_tpos: counter().notNull(),
  updated_at: moment().notNull().defaultNow(),
});

const drafts = pgTable('drafts', {
  user_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  thread_id: uuid(),
  text: text().notNull(),
  file_ids: jsonb().$type<string[]>().notNull().default([]),
  version: counter().notNull(),
  updated_at: moment().notNull(),
});

export const threadTables = { scheduledMessages, threadFollowers, threadReadStates, drafts };
