import { sql, type SQL } from 'drizzle-orm';
import type { FileEvent } from '../../protocol/file-events.ts';
import type { FileState } from '../../protocol/files.ts';
import { ceType } from '../../protocol/topics.ts';
import type { Transaction } from '../client.ts';
import { eventLog } from '../schema/event-tables.ts';
import { wireTime } from './time.ts';

/** A file as a statement brings it: `bigint` comes as text. */
export type FileRow = Omit<FileState, 'size'> & { readonly size: string };

/** The columns of `FileRow`, of a table `f`. */
export const fileColumns: SQL = sql`f.id, f.channel_id, f.uploader_id, f.name, f.media_type, f.size, f.sha256, f.status, f.thumbnails,
  ${wireTime(sql`f.created_at`)} AS created_at`;

/** A whole file as JSON, of a table `f`. */
export const fileJson: SQL = sql`jsonb_build_object('id', f.id, 'channel_id', f.channel_id, 'uploader_id', f.uploader_id, 'name', f.name, 'media_type', f.media_type,
  'size', f.size, 'sha256', f.sha256, 'status', f.status, 'thumbnails', f.thumbnails, 'created_at', ${wireTime(sql`f.created_at`)})`;

export const toFile = ({ id, channel_id, uploader_id, name, media_type, size, sha256, status, thumbnails, created_at }: FileRow): FileState => ({
  id, channel_id, uploader_id, name, media_type, size: Number(size), sha256, status, thumbnails, created_at,
});

/** Appends to the outbox; to be called by the very transaction that makes the change. `traceparent`: W3C trace context. */
export async function appendFileEvent(tx: Transaction, event: FileEvent, traceparent: string | null): Promise<void> {
  await tx.insert(eventLog).values({ topic: 'file.events', key: event.file.id, event_id: event.id, type: ceType(event.type), data: event, traceparent });
}
