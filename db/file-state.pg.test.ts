import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileEventSchema } from '../protocol/file-events.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { updateFile } from './queries/file-state.ts';
import { channels, files, users } from './schema/tables.ts';

const NOW = new Date('2026-11-26T17:00:00.000Z');
const [ada, channel] = [uuidv7(), uuidv7()];

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
  const { db } = database.connection;
  await db.insert(users).values({ id: ada, issuer: 'https://id.example', subject: ada, handle: ada, display_name: 'Ada' });
  await db.insert(channels).values({ id: channel, kind: 'public', name: channel, created_by: ada });
});
afterAll(() => database.drop());

async function newFile(deletedAt: Date | null = null): Promise<string> {
  const id = uuidv7();
  const file = { id, channel_id: channel, uploader_id: ada, name: 'a.png', media_type: 'image/png', size: 7, sha256: '0'.repeat(64) };
  await database.connection.db.insert(files).values({ ...file, created_at: NOW, deleted_at: deletedAt });
  return id;
}

const eventsOf = async (fileId: string): Promise<unknown[]> =>
  (await database.connection.sql<{ data: unknown }[]>`SELECT data FROM event_log WHERE topic = 'file.events' AND key = ${fileId} ORDER BY position`).map(({ data }) => data);

const finding = (fileId: string) => ({ fileId, status: 'clean', thumbnails: [{ size: 320, width: 320, height: 200 }], eventId: uuidv7(), now: NOW }) as const;

test('what a scan found is in the file and in one event, however often it is told', async () => {
  const id = await newFile();
  const first = finding(id);
  expect(await updateFile(database.connection.sql, first)).toBe(true);
  expect(await updateFile(database.connection.sql, finding(id))).toBe(false);
  const [event, ...more] = await eventsOf(id);
  expect(more).toEqual([]);
  expect(fileEventSchema.parse(event)).toEqual({
    type: 'file.updated', id: first.eventId, at: NOW.toISOString(), actor_id: ada, version: 2,
    file: { id, channel_id: channel, uploader_id: ada, name: 'a.png', media_type: 'image/png', size: 7, sha256: '0'.repeat(64), status: 'clean', thumbnails: first.thumbnails, created_at: NOW.toISOString() },
  });
});

test('a deleted file stays as it is', async () => {
  const id = await newFile(NOW);
  expect(await updateFile(database.connection.sql, finding(id))).toBe(false);
  expect(await eventsOf(id)).toEqual([]);
});
