import { boolean, json, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, counter, moment } from './columns.ts';

/** Written by `seal_audit_act` alone. */
const auditLog = pgTable('audit_log', {
  seq: counter().primaryKey(),
  at: moment().notNull(),
  act: text().notNull(),
  actor_id: uuid(),
  actor_name: text(),
  credential_id: uuid(),
  target_kind: text().notNull(),
  target_id: text(),
  details: json().notNull(),
  request_id: text(),
  previous_hash: bytea().notNull(),
  hash: bytea().notNull(),
});

const auditIntake = pgTable('audit_intake', {
  id: counter().primaryKey().generatedAlwaysAsIdentity(),
  act: text().notNull(),
  actor_id: uuid(),
  actor_name: text(),
  credential_id: uuid(),
  target_kind: text().notNull(),
  target_id: text(),
  details: json().notNull(),
  request_id: text(),
});

const messageRemovals = pgTable('message_removals', {
  message_id: uuid().primaryKey(),
  event_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  moderator_id: uuid().notNull(),
  reason: text().notNull(),
  ordered_at: moment().notNull(),
});

const messageReports = pgTable('message_reports', {
  id: uuid().primaryKey(),
  message_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  author_id: uuid().notNull(),
  reporter_id: uuid().notNull(),
  reason: text().notNull(),
  comment: text().notNull(),
  snapshot: text(),
  created_at: moment().notNull(),
  resolved_at: moment(),
  resolved_by: uuid(),
  action: text(),
  note: text(),
});

const exports = pgTable('exports', {
  id: uuid().primaryKey(),
  user_id: uuid().notNull(),
  include_private: boolean().notNull(),
  started_at: moment().notNull(),
});

const exportChannels = pgTable('export_channels', {
  export_id: uuid().notNull(),
  channel_id: uuid().notNull(),
  as_of_seq: counter().notNull(),
});

/** Queries of audit, moderation and export are SQL: these tables are described to be held to the database. */
export const adminTables = { auditLog, auditIntake, messageRemovals, messageReports, exports, exportChannels };
