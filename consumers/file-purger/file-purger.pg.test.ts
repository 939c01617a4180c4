import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fileUploads, fileUsage } from '../../db/schema/file-tables.ts';
import { EVERYBODY } from '../../db/queries/file-usage.ts';
import { type FileBed, insertFile, openFileBed } from '../../tests/support/file-bed.ts';
import { purgeFiles, removeByWorker } from './file-purger.ts';

const NOW = new Date('2026-11-26T17:00:00.000Z');
const ago = (minutes: number): Date => new Date(NOW.getTime() - minutes * 60_000);

let bed: FileBed;
beforeAll(async () => (bed = await openFileBed()));
afterAll(() => bed.drop());

const newFile = (deleted: Date | null): Promise<string> => insertFile(bed, { created: ago(100), deleted });

async function newUpload(startedAt: Date, abandonedAt: Date | null): Promise<string> {
  const id = uuidv7();
  await bed.connection.db.insert(fileUploads).values({ id, user_id: bed.uploader, channel_id: bed.channel, size: 100, started_at: startedAt, abandoned_at: abandonedAt });
  return id;
}

it('removes what deleted files and dead uploads left in the store, again after a failure, and nothing else', async () => {
  const { db, sql } = bed.connection;
  await db.insert(fileUsage).values([{ user_id: bed.uploader, bytes: 207 }, { user_id: EVERYBODY, bytes: 1_000 }]);
  const [kept, fresh, deleted, running, dead, failed] = [await newFile(null), await newFile(ago(5)), await newFile(ago(11)), await newUpload(ago(20), null), await newUpload(ago(31), null), await newUpload(ago(12), ago(11))];
  let removed: string[] = [];
  let isAway = true;
  const ports = (at: Date) => ({
    sql,
    now: () => at,
    remove: async (id: string) => {
      if (isAway) throw new Error('the store is away');
      removed.push(id);
    },
  });

  await expect(purgeFiles(ports(NOW))).rejects.toThrow('the store is away');
  isAway = false;
  expect(await purgeFiles(ports(NOW))).toBe(false);
  expect(removed.toSorted()).toEqual([deleted, failed].toSorted());
  // Its bytes are free at once, and its objects wait until nothing can be on its way any more.
  expect(await db.select().from(fileUsage).orderBy(fileUsage.user_id)).toEqual([{ user_id: EVERYBODY, bytes: 900 }, { user_id: bed.uploader, bytes: 107 }]);
  removed = [];
  await purgeFiles(ports(new Date(NOW.getTime() + 11 * 60_000)));
  expect(removed.toSorted()).toEqual([fresh, dead].toSorted());
  removed = [];
  await purgeFiles(ports(new Date(NOW.getTime() + 12 * 60_000)));
  expect(removed).toEqual([]);
  expect((await sql`SELECT id FROM file_uploads`).map(({ id }) => id)).toEqual([running]);
  expect((await sql`SELECT id FROM files WHERE purged_at IS NULL`).map(({ id }) => id)).toEqual([kept]);
});

it('asks the Worker by the fleet\'s secret, and takes nothing but its word', async () => {
  const asked: (string | undefined)[] = [];
  let status = 204;
  const server = createServer((request, response) => {
    asked.push(request.method, request.url, request.headers.authorization);
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const remove = removeByWorker({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'secret' });
  const id = uuidv7();
  await remove(id);
  expect(asked).toEqual(['DELETE', `/internal/files/${id}`, 'Bearer secret']);
  status = 503;
  await expect(remove(id)).rejects.toThrow('503');
  server.close();
});
