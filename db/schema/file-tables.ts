import { boolean, integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import type { FileStatus, Thumbnail } from '../../protocol/files.ts';
import { counter, moment } from './columns.ts';

/** Files, their uploads and scans. As `tables.ts`. */

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

const messageFiles = pgTable('message_files', {
  message_id: uuid().notNull(),
  file_id: uuid().notNull(),
  place: integer().notNull(),
});

/** Of a file's scan: it waits, has a verdict, or cannot be scanned. */
export type ScanState = 'waiting' | 'clean' | 'infected' | 'refused';
const fileScans = pgTable('file_scans', {
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

/** All of these: those that only SQL names are described to be held to the database. */
export const fileTables = { files, fileUploads, fileUsage, messageFiles, fileScans };
