import { boolean, integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import type { CredentialKind } from '../../protocol/credentials.ts';
import type { MemberRole, Origin } from '../../protocol/events.ts';
import { bytea, counter, moment } from './columns.ts';

/**
 * The tables as queries see them. Keys, defaults that matter to nobody but Postgres, checks and indexes are in `db/migrations`, which
 * alone makes the database; `db/schema.pg.test.ts` holds the two together. Properties bear their columns' names.
 */

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
  avatar_file_id: uuid(),
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
  joined_pos: counter().notNull().default(0),
});

export const formerMembers = pgTable('former_members', {
  channel_id: uuid().notNull(),
  user_id: uuid().notNull(),
  version: counter().notNull(),
});

const readStates = pgTable('read_states', {
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

const inboxLogs = pgTable('inbox_logs', {
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

const threads = pgTable('threads', {
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

/** All of these: those that only SQL names are described to be held to the database. */
export const tables = {
  users, credentials, channels, members, formerMembers, readStates, conversationLogs, inboxLogs, messages, threads, reactions, idempotencyKeys,
};
