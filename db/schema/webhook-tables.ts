import { integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import type { DeliveryFailure, DeliveryStatus, DisabledReason, WebhookEventType } from '../../protocol/webhooks.ts';
import { bytea, counter, moment } from './columns.ts';

export const webhooks = pgTable('webhooks', {
  id: uuid().primaryKey(),
  owner_id: uuid().notNull(),
  channel_id: uuid(),
  url: text().notNull(),
  host: text().notNull(),
  event_types: text().array().$type<WebhookEventType[]>().notNull(),
  description: text().notNull().default(''),
  secret: bytea().notNull(),
  previous_secret: bytea(),
  previous_secret_until: moment(),
  state: text().$type<'enabled' | 'disabled'>().notNull().default('enabled'),
  disabled_reason: text().$type<DisabledReason | 'deleted'>(),
  disabled_at: moment(),
  failing_since: moment(),
  failures: integer().notNull().default(0),
  blocked_until: moment(),
  deleted_at: moment(),
  created_at: moment().notNull().defaultNow(),
  version: integer().notNull().default(1),
});

export const webhookEvents = pgTable('webhook_events', {
  id: uuid().primaryKey(),
  type: text().notNull(),
  channel_id: uuid(),
  subject_id: uuid(),
  at: moment().notNull(),
  data: jsonb().notNull(),
  created_at: moment().notNull().defaultNow(),
});

export const webhookDeliveries = pgTable('webhook_deliveries', {
  webhook_id: uuid().notNull(),
  event_id: uuid().notNull(),
  number: counter().notNull().generatedAlwaysAsIdentity(),
  status: text().$type<DeliveryStatus>().notNull().default('pending'),
  attempts: integer().notNull().default(0),
  next_at: moment().notNull().defaultNow(),
  lease: uuid(),
  last_status: integer(),
  last_latency_ms: integer(),
  failure: text().$type<DeliveryFailure>(),
  created_at: moment().notNull().defaultNow(),
  settled_at: moment(),
});

export const incomingWebhooks = pgTable('incoming_webhooks', {
  id: uuid().primaryKey(),
  channel_id: uuid().notNull(),
  bot_id: uuid().notNull(),
  credential_id: uuid().notNull(),
  created_by: uuid().notNull(),
  created_at: moment().notNull(),
  rotated_at: moment(),
  revoked_at: moment(),
});
