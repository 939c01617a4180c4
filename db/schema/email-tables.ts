import { integer, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import type { DigestMode } from '../../protocol/email.ts';
import { counter, moment } from './columns.ts';

const emailDigests = pgTable('email_digests', {
  user_id: uuid().primaryKey(),
  address: text(),
  mode: text().$type<DigestMode>().notNull().default('off'),
  after_minutes: integer().notNull().default(15),
  daily_hour: smallint().notNull().default(8),
  version: integer().notNull().default(0),
  mailed_seq: counter().notNull().default(0),
  mailed_at: moment(),
  due_at: moment(),
  lease: uuid(),
  failures: integer().notNull().default(0),
  digest_id: uuid(),
  digest_seq: counter(),
});

/** Only SQL names it; it is described to be held to the database. */
export const emailTables = { emailDigests };
