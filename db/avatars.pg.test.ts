import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { directoryEventSchema } from '../protocol/directory-events.ts';
import { eventually } from '../tests/support/event-log.ts';
import { type FileBed, insertFile, openFileBed } from '../tests/support/file-bed.ts';
import { setAvatar } from './queries/avatars.ts';
import { insertCredential } from './queries/credentials.ts';
import { deleteFilesOf } from './queries/file-state.ts';
import { deleteFile } from './queries/files.ts';

const NOW = new Date('2026-11-26T17:00:00.000Z');

let bed: FileBed;
let credentialId: string;
beforeAll(async () => {
  bed = await openFileBed();
  credentialId = uuidv7();
  await insertCredential(bed.connection.db, { id: credentialId, secret_hash: crypto.getRandomValues(new Uint8Array(32)), kind: 'session', user_id: bed.uploader, name: 'test', scopes: [], expires_at: new Date(Date.now() + 600_000) });
});
afterAll(() => bed.drop());

async function image(): Promise<string> {
  const id = await insertFile(bed, { created: NOW, deleted: null });
  await bed.connection.sql`UPDATE files SET status = 'clean', thumbnails = '[{"size": 160, "width": 160, "height": 160}]' WHERE id = ${id}`;
  return id;
}

type Write = Parameters<Parameters<FileBed['connection']['db']['transaction']>[0]>[0];
const set = (tx: Write, fileId: string) => setAvatar(tx, { credentialId, userId: bed.uploader, eventId: uuidv7(), now: NOW, traceparent: null }, fileId);
const remove = (tx: Write, fileId: string) => deleteFile(tx, { credentialId, fileId, eventId: uuidv7(), now: NOW, traceparent: null });
const shown = async (): Promise<string | null> => (await bed.connection.sql<{ id: string | null }[]>`SELECT avatar_file_id AS id FROM users WHERE id = ${bed.uploader}`)[0]?.id ?? null;

/** Runs `first` and, before it is committed, begins `second`, which has to wait for it. */
async function race<A, B>(first: (tx: Write) => Promise<A>, second: (tx: Write) => Promise<B>): Promise<[A, B]> {
  const { db, sql } = bed.connection;
  let later: Promise<B> | undefined;
  const done = await db.transaction(async (tx) => {
    const made = await first(tx);
    later = db.transaction(second);
    await eventually(async () => (await sql`SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).length > 0);
    return made;
  });
  if (later === undefined) throw new Error('nothing was begun');
  return [done, await later];
}

it('a file that is deleted while it becomes a picture is none: whoever is first, no picture is left of what is gone (G2)', async () => {
  const [one, other] = [await image(), await image()];
  expect(await race((tx) => remove(tx, one), (tx) => set(tx, one))).toMatchObject([{ ok: { id: one } }, { problem: { code: 'not_found' } }]);
  expect(await shown()).toBeNull();
  expect(await race((tx) => set(tx, other), (tx) => remove(tx, other))).toMatchObject([{ ok: { avatar: { file_id: other } } }, { ok: { id: other } }]);
  expect(await shown()).toBeNull();
});

it('with all files of a user goes their picture, told by an event of its own (G2)', async () => {
  const { db, sql } = bed.connection;
  const [admin, id] = [uuidv7(), await image()];
  for (let n = 0; n < 3; n++) await image();
  await db.transaction((tx) => set(tx, id));
  const avatarEventId = uuidv7();
  const deletion = () => ({ userId: bed.uploader, actorId: admin, now: NOW, eventIds: Array.from({ length: 10 }, () => uuidv7()), avatarEventId });
  expect([await sql.begin((tx) => deleteFilesOf(tx, deletion())), await sql.begin((tx) => deleteFilesOf(tx, deletion()))]).toEqual([4, 0]);
  expect(await shown()).toBeNull();
  const told = await sql<{ key: string; topic: string; data: unknown }[]>`SELECT key, topic, data FROM event_log WHERE event_id = ${avatarEventId}`;
  const [{ version } = { version: 0 }] = await sql<{ version: number }[]>`SELECT version FROM users WHERE id = ${bed.uploader}`;
  expect(told.map(({ key, topic, data }) => [key, topic, directoryEventSchema.parse(data)])).toEqual([
    [bed.uploader, 'user.events', { type: 'user.updated', id: avatarEventId, at: NOW.toISOString(), actor_id: admin, version, user: { id: bed.uploader, handle: bed.uploader, display_name: 'Ada', role: 'member' } }],
  ]);
});
