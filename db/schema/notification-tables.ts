import { boolean, integer, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import type { NoticeReason, NotificationLevel } from '../../protocol/notifications.ts';
import { counter, moment } from './columns.ts';

/** Who wants to be notified of what, and of what they were. As `tables.ts`. */

export const notificationSettings = pgTable('notification_settings', {
  user_id: uuid().primaryKey(),
  level: text().$type<NotificationLevel>().notNull().default('mentions'),
  quiet_start: smallint(),
  quiet_end: smallint(),
  quiet_zone: text(),
  quiet_weekdays: smallint(),
  version: integer().notNull().default(1),
});

export const notificationKeywords = pgTable('notification_keywords', {
  phrase: text().notNull(),
  user_id: uuid().notNull(),
  place: smallint().notNull(),
  keyword: text().notNull(),
});

const channelNotificationSettings = pgTable('channel_notification_settings', {
  channel_id: uuid().notNull(),
  user_id: uuid().notNull(),
  level: text().$type<NotificationLevel>(),
  muted_until: moment(),
  version: integer().notNull().default(1),
});

const notifications = pgTable('notifications', {
  user_id: uuid().notNull(),
  seq: counter().notNull(),
  id: uuid().notNull(),
  reason: text().$type<NoticeReason>().notNull(),
  channel_id: uuid().notNull(),
  message_id: uuid().notNull(),
  author_id: uuid().notNull(),
  pos: counter(),
  thread_id: uuid(),
  quiet: boolean().notNull(),
  created_at: moment().notNull(),
});

/** All of these: those that only SQL names are described to be held to the database. */
export const notificationTables = { notificationSettings, notificationKeywords, channelNotificationSettings, notifications };
