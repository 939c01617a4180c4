import { sql } from 'drizzle-orm';
import { boolean, customType, integer, jsonb, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import type { CredentialKind } from '../../protocol/credentials.ts';
import type { DeadLetterAct, DeadLetterStatus } from '../../protocol/dead-letters.ts';
import type { MemberRole, Origin } from '../../protocol/events.ts';
import type { FileStatus, Thumbnail } from '../../protocol/files.ts';
import type { NoticeReason, NotificationLevel } from '../../protocol/notifications.ts';
import type { Topic } from '../../protocol/topics.ts';
import { bytea, counter, moment } from './columns.ts';

/**
 * The tables as queries see them. Keys, defaults that matter to nobody but Postgres, checks and indexes are in `db/migrations`, which
 * alone makes the database; `db/schema.pg.test.ts` holds the two together. Properties bear their columns' names.
 */
const tsvector = customType<{ data: string }>({ dataType: () => 'tsvector' });
/** In Postgres' own notation: `xmin:xmax:xid,…`. */
const snapshot = customType<{ data: string }>({ dataType: () => 'pg_snapshot' });
/** A transaction id of 64 bits, in decimal. */
const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });

export const users = pgTable('users', {
  id: uuid().primaryKey(),
  issuer: text().notNull(),
  subject: text().notNull(),
  handle: text().notNull(),
  display_name: text().notNull(),
  role: text().$type<'admin' | 'moderator' | 'member' | 'guest'>().notNull().default('member'),
  version: integer().notNull().default(1),
  created_at: moment().notNull().defaultNow(),
  deactivated_at: moment(),
  bot_owner_id: uuid(),
  title: text().notNull().default(''),
  pronouns: text().notNull().default(''),
  time_zone: text(),
  is_self_named: boolean().notNull().default(false),
  is_admitted: boolean().notNull().default(true),
});

export const credentials = pgTable('credentials', {
  id: uuid().primaryKey(),
  secret_hash: bytea().notNull(),
  kind: text().$type<CredentialKind>().notNull(),
  user_id: uuid().notNull(),
  name: text().notNull(),
  scopes: text().array().notNull(),
  created_at: moment().notNull().defaultNow(),
  expires_at: moment().notNull(),
  revoked_at: moment(),
  last_used_at: moment(),
});

export const channels = pgTable('channels', {
  id: uuid().primaryKey(),
  kind: text().$type<'public' | 'private' | 'direct'>().notNull(),
  name: text(),
  topic: text().notNull().default(''),
  created_by: uuid().notNull(),
  created_at: moment().notNull().defaultNow(),
  archived_at: moment(),
  version: integer().notNull().default(1),
  members_version: counter().notNull().default(0),
  purpose: text().notNull().default(''),
  direct_user_ids: uuid().array(),
});

export const members = pgTable('members', {
  channel_id: uuid().notNull(),
  user_id: uuid().notNull(),
  role: text().$type<MemberRole>().notNull().default('member'),
  version: counter().notNull(),
  joined_at: moment().notNull().defaultNow(),
  closed_pos: counter(),
});

export const formerMembers = pgTable('former_members', {
  channel_id: uuid().notNull(),
  user_id: uuid().notNull(),
  version: counter().notNull(),
});

export const readStates = pgTable('read_states', {
  user_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  read_pos: counter().notNull(),
  updated_at: moment().notNull().defaultNow(),
  generation: counter().notNull().default(0),
});

export const conversationLogs = pgTable('conversation_logs', {
  channel_id: uuid().primaryKey(),
  epoch: integer().notNull().default(1),
  fence: counter().notNull().default(0),
  drained_seq: counter().notNull().default(0),
  drained_pos: counter().notNull().default(0),
  drained_at: moment(),
});

export const inboxLogs = pgTable('inbox_logs', {
  user_id: uuid().primaryKey(),
  epoch: integer().notNull().default(1),
  fence: counter().notNull().default(0),
  drained_seq: counter().notNull().default(0),
  drained_at: moment(),
  is_awake: boolean().notNull().default(false),
  awake_version: counter().notNull().default(0),
  notices_read_seq: counter().notNull().default(0),
});

export const messages = pgTable('messages', {
  id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  seq: counter().notNull(),
  pos: counter(),
  thread_id: uuid(),
  tpos: counter(),
  author_id: uuid().notNull(),
  client_msg_id: text().notNull(),
  text: text().notNull(),
  origin: jsonb().$type<Origin>(),
  revision: integer().notNull().default(1),
  created_at: moment().notNull(),
  edited_at: moment(),
  deleted_at: moment(),
});

export const threads = pgTable('threads', {
  root_id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  reply_count: integer().notNull(),
  last_tpos: counter().notNull(),
  last_reply_at: moment().notNull(),
});

export const reactions = pgTable('reactions', {
  message_id: uuid().notNull(),
  emoji: text().notNull(),
  user_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  seq: counter().notNull(),
});

export const eventLog = pgTable('event_log', {
  logged_at: moment().notNull().defaultNow(),
  position: counter().notNull().generatedByDefaultAsIdentity(),
  xid: xid8().notNull().generatedAlwaysAs('pg_current_xact_id()'),
  topic: text().$type<Topic>().notNull(),
  key: uuid().notNull(),
  event_id: uuid().notNull(),
  type: text().notNull(),
  channel_seq: counter(),
  data: jsonb().notNull(),
  traceparent: text(),
});

export const relayStates = pgTable('relay_states', {
  shard: integer().primaryKey(),
  fence: counter().notNull().default(0),
  base: snapshot().notNull(),
  base_taken_at: moment().notNull(),
  target: snapshot(),
  target_taken_at: moment(),
  after_position: counter().notNull().default(0),
  updated_at: moment().notNull().defaultNow(),
  shards: integer().notNull().default(1),
});

export const consumerOffsets = pgTable('consumer_offsets', {
  group_id: text().notNull(),
  topic: text().$type<Topic>().notNull(),
  partition: integer().notNull(),
  cursor: text().notNull(),
  updated_at: moment().notNull().defaultNow(),
});

export const consumerGroups = pgTable('consumer_groups', {
  group_id: text().primaryKey(),
  started_at: moment().notNull().defaultNow(),
});

export const consumerKeys = pgTable('consumer_keys', {
  group_id: text().notNull(),
  topic: text().$type<Topic>().notNull(),
  key: uuid().notNull(),
  position: counter().notNull(),
});

export const parkedKeys = pgTable('parked_keys', {
  group_id: text().notNull(),
  topic: text().$type<Topic>().notNull(),
  key: uuid().notNull(),
  attempts: integer().notNull(),
  error_class: text().notNull(),
  error_message: text().notNull(),
  first_failed_at: moment().notNull(),
  last_failed_at: moment().notNull(),
  next_retry_at: moment().notNull(),
});

export const parkedRecords = pgTable('parked_records', {
  id: counter().primaryKey().generatedAlwaysAsIdentity(),
  group_id: text().notNull(),
  topic: text().$type<Topic>().notNull(),
  key: uuid().notNull(),
  partition: integer().notNull(),
  record_offset: text().notNull(),
  record_key: bytea(),
  record_value: bytea(),
  headers: jsonb().notNull(),
  position: counter().notNull().generatedAlwaysAs(sql`(headers ->> 'log_position')::bigint`),
  dead_letter_id: uuid(),
});

export const deadLetters = pgTable('dead_letters', {
  id: uuid().primaryKey().defaultRandom(),
  stage: text().$type<'drain' | 'consumer'>().notNull(),
  group_id: text(),
  topic: text().$type<Topic>().notNull(),
  partition: integer(),
  record_offset: text(),
  record_key: bytea(),
  record_value: bytea(),
  headers: jsonb().notNull().default({}),
  error_class: text().notNull(),
  error_message: text().notNull(),
  attempts: integer().notNull(),
  first_failed_at: moment().notNull(),
  last_failed_at: moment().notNull(),
  status: text().$type<DeadLetterStatus>().notNull().default('pending'),
  published_at: moment(),
  number: counter().notNull().generatedAlwaysAsIdentity(),
  version: integer().notNull().default(1),
  edited_key: bytea(),
  edited_value: bytea(),
  edited_headers: jsonb(),
});

export const deadLetterActs = pgTable('dead_letter_acts', {
  id: counter().primaryKey().generatedAlwaysAsIdentity(),
  dead_letter_id: uuid().notNull(),
  at: moment().notNull().defaultNow(),
  actor: text().notNull(),
  act: text().$type<DeadLetterAct['act']>().notNull(),
  reason: text(),
  detail: jsonb().notNull().default({}),
});

export const searchMessages = pgTable('search_messages', {
  id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  author_id: uuid().notNull(),
  seq: counter().notNull(),
  text: text().notNull(),
  tsv: tsvector().notNull().generatedAlwaysAs("to_tsvector('simple', text)"),
});

export const idempotencyKeys = pgTable('idempotency_keys', {
  user_id: uuid().notNull(),
  method: text().notNull(),
  route: text().notNull(),
  key: text().notNull(),
  fingerprint: bytea().notNull(),
  status: integer(),
  body: text(),
  headers: jsonb(),
  created_at: moment().notNull().defaultNow(),
});

/** Of a file's scan: it waits, has a verdict, or cannot be scanned. */
export type ScanState = 'waiting' | 'clean' | 'infected' | 'refused';

export const files = pgTable('files', {
  id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  uploader_id: uuid().notNull(),
  name: text().notNull(),
  media_type: text().notNull(),
  size: counter().notNull(),
  sha256: text().notNull(),
  status: text().$type<FileStatus>().notNull().default('pending_scan'),
  thumbnails: jsonb().$type<readonly Thumbnail[]>().notNull().default([]),
  version: integer().notNull().default(1),
  created_at: moment().notNull(),
  deleted_at: moment(),
  purged_at: moment(),
});

export const fileUploads = pgTable('file_uploads', {
  id: uuid().primaryKey(),
  user_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  size: counter().notNull(),
  idempotency_key: text(),
  started_at: moment().notNull(),
  abandoned_at: moment(),
});

export const fileUsage = pgTable('file_usage', {
  user_id: uuid().primaryKey(),
  bytes: counter().notNull(),
});

export const messageFiles = pgTable('message_files', {
  message_id: uuid().notNull(),
  file_id: uuid().notNull(),
  place: integer().notNull(),
});

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

export const channelNotificationSettings = pgTable('channel_notification_settings', {
  channel_id: uuid().notNull(),
  user_id: uuid().notNull(),
  level: text().$type<NotificationLevel>(),
  muted_until: moment(),
  version: integer().notNull().default(1),
});

export const notifications = pgTable('notifications', {
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

export const fileScans = pgTable('file_scans', {
  file_id: uuid().primaryKey(),
  state: text().$type<ScanState>().notNull().default('waiting'),
  is_again: boolean().notNull().default(false),
  requested_at: moment().notNull().defaultNow(),
  due_at: moment().notNull().defaultNow(),
  lease: uuid(),
  attempts: integer().notNull().default(0),
  failure: text(),
  signature: text(),
  scanned_at: moment(),
});
