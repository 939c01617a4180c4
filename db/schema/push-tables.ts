import { integer, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, counter, moment } from './columns.ts';

/** Who is told of notices by Web Push, and of which. As `tables.ts`. */

const pushSubscriptions = pgTable('push_subscriptions', {
  id: uuid().primaryKey(),
  user_id: uuid().notNull(),
  credential_id: uuid().notNull(),
  endpoint: text().notNull(),
  host: text().notNull(),
  p256dh: bytea().notNull(),
  auth: bytea().notNull(),
  created_at: moment().notNull(),
  due_at: moment(),
  lease: uuid(),
  failures: integer().notNull().default(0),
  failing_since: moment(),
});

const pushes = pgTable('pushes', {
  subscription_id: uuid().notNull(),
  notice_id: uuid().notNull(),
  notice_seq: counter().notNull(),
  status: text().$type<'pending' | 'sent' | 'dropped'>().notNull().default('pending'),
  created_at: moment().notNull(),
});

/** All of these: only SQL names them, and they are described to be held to the database. */
export const pushTables = { pushSubscriptions, pushes };
