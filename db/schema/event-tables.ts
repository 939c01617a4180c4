import { sql } from 'drizzle-orm';
import { customType, integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import type { DeadLetterAct, DeadLetterStatus } from '../../protocol/dead-letters.ts';
import type { Topic } from '../../protocol/topics.ts';
import { bytea, counter, moment } from './columns.ts';

/** The log of events, the relay, and what consumer groups keep. As `tables.ts`. */

/** In Postgres' own notation: `xmin:xmax:xid,…`. */
const snapshot = customType<{ data: string }>({ dataType: () => 'pg_snapshot' });
/** A transaction id of 64 bits, in decimal. */
const xid8 = customType<{ data: string }>({ dataType: () => 'xid8' });

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

const relayStates = pgTable('relay_states', {
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

const consumerOffsets = pgTable('consumer_offsets', {
  group_id: text().notNull(),
  topic: text().$type<Topic>().notNull(),
  partition: integer().notNull(),
  cursor: text().notNull(),
  updated_at: moment().notNull().defaultNow(),
});

const consumerGroups = pgTable('consumer_groups', {
  group_id: text().primaryKey(),
  started_at: moment().notNull().defaultNow(),
});

const consumerKeys = pgTable('consumer_keys', {
  group_id: text().notNull(),
  topic: text().$type<Topic>().notNull(),
  key: uuid().notNull(),
  position: counter().notNull(),
});

const parkedKeys = pgTable('parked_keys', {
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

const parkedRecords = pgTable('parked_records', {
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

const deadLetters = pgTable('dead_letters', {
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

const deadLetterActs = pgTable('dead_letter_acts', {
  id: counter().primaryKey().generatedAlwaysAsIdentity(),
  dead_letter_id: uuid().notNull(),
  at: moment().notNull().defaultNow(),
  actor: text().notNull(),
  act: text().$type<DeadLetterAct['act']>().notNull(),
  reason: text(),
  detail: jsonb().notNull().default({}),
});

/** All of these: those that only SQL names are described to be held to the database. */
export const eventTables = { eventLog, relayStates, consumerOffsets, consumerGroups, consumerKeys, parkedKeys, parkedRecords, deadLetters, deadLetterActs };
