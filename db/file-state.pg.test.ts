import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fileEventSchema } from '../protocol/file-events.ts';
import { type FileBed, insertFile, openFileBed } from '../tests/support/file-bed.ts';
import { updateFile } from './queries/file-state.ts';

const NOW = new Date('2026-11-26T17:00:00.000Z');

let bed: FileBed;
beforeAll(async () => (bed = await openFileBed()));
afterAll(() => bed.drop());

const newFile = (deleted: Date | null = null): Promise<string> => insertFile(bed, { created: NOW, deleted });

const eventsOf = async (fileId: string): Promise<unknown[]> =>
  (await bed.connection.sql<{ data: unknown }[]>`SELECT data FROM event_log WHERE topic = 'file.events' AND key = ${fileId} ORDER BY position`).map(({ data }) => data);

const finding = (fileId: string) => ({ fileId, status: 'clean', thumbnails: [{ size: 320, width: 320, height: 200 }], eventId: uuidv7(), now: NOW }) as const;

test('what a scan found is in the file and in one event, however often it is told', async () => {
  const id = await newFile();
  const first = finding(id);
  expect(await updateFile(bed.connection.sql, first)).toBe(true);
  expect(await updateFile(bed.connection.sql, finding(id))).toBe(false);
  const [event, ...more] = await eventsOf(id);
  expect(more).toEqual([]);
  expect(fileEventSchema.parse(event)).toEqual({
    type: 'file.updated', id: first.eventId, at: NOW.toISOString(), actor_id: bed.uploader, version: 2,
    file: { id, channel_id: bed.channel, uploader_id: bed.uploader, name: 'a.png', media_type: 'image/png', size: 7, sha256: '0'.repeat(64), status: 'clean', thumbnails: first.thumbnails, created_at: NOW.toISOString() },
  });
});

test('a deleted file stays as it is', async () => {
  const id = await newFile(NOW);
  expect(await updateFile(bed.connection.sql, finding(id))).toBe(false);
  expect(await eventsOf(id)).toEqual([]);
});
