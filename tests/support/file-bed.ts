import { uuidv7 } from 'uuidv7';
import { files } from '../../db/schema/file-tables.ts';
import { channels, users } from '../../db/schema/tables.ts';
import { testDatabase, type TestDatabase } from './postgres.ts';

/** A database with one user and one channel, in which files are. */
export interface FileBed extends TestDatabase {
  readonly uploader: string;
  readonly channel: string;
}

/** To be dropped by the caller. */
export async function openFileBed(): Promise<FileBed> {
  const database = await testDatabase();
  const { db } = database.connection;
  const [uploader, channel] = [uuidv7(), uuidv7()];
  await db.insert(users).values({ id: uploader, issuer: 'https://id.example', subject: uploader, handle: uploader, display_name: 'Ada' });
  await db.insert(channels).values({ id: channel, kind: 'public', name: channel, created_by: uploader });
  return { ...database, uploader, channel };
}

/** A PNG of 7 bytes, whose scan is awaited. */
export async function insertFile({ connection, uploader, channel }: FileBed, at: { readonly created: Date; readonly deleted: Date | null }): Promise<string> {
  const id = uuidv7();
  const file = { id, channel_id: channel, uploader_id: uploader, name: 'a.png', media_type: 'image/png', size: 7, sha256: '0'.repeat(64) };
  await connection.db.insert(files).values({ ...file, created_at: at.created, deleted_at: at.deleted });
  return id;
}
