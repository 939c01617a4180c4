import { pino } from 'pino';
import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { insertCredential } from '../../db/queries/credentials.ts';
import { insertDeadLetters } from '../../db/queries/dead-letters.ts';
import { deactivateUser, requestRedaction } from '../../db/queries/deactivation.ts';
import { EVERYBODY } from '../../db/queries/file-usage.ts';
import { fileEventSchema } from '../../protocol/file-events.ts';
import type { Redaction } from '../../protocol/redactions.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { InfrastructureError } from '../runtime/classify.ts';
import { createEventLogSource } from '../runtime/event-log-source.ts';
import { groupService } from '../runtime/group-runner.ts';
import type { Service } from '../runtime/service.ts';
import { totalLag } from '../runtime/stream-lag.ts';
import { userRedactor } from './group.ts';

let database: TestDatabase;
let service: Service;
let lag: () => Promise<number>;
let asked: (readonly Redaction[])[];
let isAway: boolean;

beforeEach(async () => {
  database = await testDatabase();
  [asked, isAway] = [[], false];
  const { sql } = database.connection;
  const source = createEventLogSource({ databaseUrl: database.url, sql, groupId: 'user-redactor', topics: ['user.events'], onError: () => {} });
  const redact = async (redactions: readonly Redaction[]): Promise<void> => {
    asked.push(redactions);
    if (isAway) throw new InfrastructureError('there is more to delete');
  };
  service = groupService(userRedactor({ redact }), source, { sql, log: pino({ level: 'silent' }), chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
  lag = async () => totalLag(await source.lag());
  void service.run();
});

afterEach(async () => {
  await service.stop();
  await database.drop();
});

it('asks the rooms of all channels the user is or was a member of, and again until all is deleted (G7)', async () => {
  const { sql, db } = database.connection;
  const [admin, user, credentialId, joined, left, other] = [uuidv7(), uuidv7(), uuidv7(), uuidv7(), uuidv7(), uuidv7()];
  for (const [id, role] of [[admin, 'admin'], [user, 'member']] as const) await sql`INSERT INTO users (id, issuer, subject, handle, display_name, role) VALUES (${id}, 'test', ${id}, ${id}, 'Somebody', ${role})`;
  for (const id of [joined, left, other]) await sql`INSERT INTO channels (id, kind, name, created_by, members_version) VALUES (${id}, 'public', ${id}, ${admin}, 2)`;
  await sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${joined}, ${user}, 'member', 2), (${other}, ${admin}, 'owner', 1)`;
  await sql`INSERT INTO former_members (channel_id, user_id, version) VALUES (${left}, ${user}, 2)`;
  await insertCredential(db, { id: credentialId, secret_hash: crypto.getRandomValues(new Uint8Array(32)), kind: 'session', user_id: admin, name: 'test', scopes: [], expires_at: new Date(Date.now() + 60_000) });
  const request = () => ({ credentialId, actorId: admin, userId: user, eventId: uuidv7(), now: new Date(), traceparent: null });

  expect(await db.transaction((tx) => requestRedaction(tx, request()))).toMatchObject({ problem: { code: 'conflict' } });
  await db.transaction((tx) => deactivateUser(tx, request()));
  isAway = true;
  const value = Buffer.from(JSON.stringify({ type: 'message.created', actor_id: user, text: 'what nobody may read' }));
  const failed = { errorClass: 'test', errorMessage: '', attempts: 4, firstFailedAt: new Date().toISOString(), lastFailedAt: new Date().toISOString() };
  const record = { partition: 0, offset: '1', key: Buffer.from(joined), value, headers: { ce_type: 'colink.message.created.v1', log_position: '1' } };
  await insertDeadLetters(sql, [{ ...failed, groupId: 'search-indexer', topic: 'message.events', record }]);
  expect(await db.transaction((tx) => requestRedaction(tx, request()))).toEqual({ ok: true });
  await eventually(() => asked.length >= 2);
  expect(await sql`SELECT d.status, d.record_value IS NULL AS is_cleared FROM dead_letters d`).toEqual([{ status: 'pending', is_cleared: false }]);
  expect(await lag()).toBeGreaterThan(0);
  isAway = false;
  await eventually(async () => (await lag()) === 0);
  expect(await sql`SELECT d.status, d.record_value IS NULL AS is_cleared FROM dead_letters d`).toEqual([{ status: 'discarded', is_cleared: true }]);
  const wanted = [joined, left].toSorted().map((channel_id) => ({ channel_id, user_id: user, actor_id: admin, after: null }));
  expect(asked.every((redactions) => JSON.stringify(redactions) === JSON.stringify(wanted))).toBe(true);
});

it('deletes the files of the user, what they wrote and did not send, and gives back what they count, once (G2)', async () => {
  const { sql, db } = database.connection;
  const [admin, user, credentialId, channel] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
  for (const [id, role] of [[admin, 'admin'], [user, 'member']] as const) await sql`INSERT INTO users (id, issuer, subject, handle, display_name, role) VALUES (${id}, 'test', ${id}, ${id}, 'Somebody', ${role})`;
  await sql`INSERT INTO channels (id, kind, name, created_by, members_version) VALUES (${channel}, 'public', ${channel}, ${admin}, 1)`;
  await insertCredential(db, { id: credentialId, secret_hash: crypto.getRandomValues(new Uint8Array(32)), kind: 'session', user_id: admin, name: 'test', scopes: [], expires_at: new Date(Date.now() + 60_000) });
  for (const [owner, count] of [[user, 1_203], [admin, 1]] as const) {
    await sql`
      INSERT INTO files (id, channel_id, uploader_id, name, media_type, size, sha256, created_at)
      SELECT gen_random_uuid(), ${channel}, ${owner}, 'a', 'text/plain', 10, repeat('0', 64), now() FROM generate_series(1, ${count}::integer)`;
    await sql`INSERT INTO file_usage (user_id, bytes) VALUES (${owner}, ${count * 10})`;
  }
  for (const owner of [user, admin]) {
    await sql`INSERT INTO scheduled_messages (id, author_id, channel_id, text, send_at, due_at) VALUES (${uuidv7()}, ${owner}, ${channel}, 'x', now() + interval '1 day', now() + interval '1 day')`;
    await sql`INSERT INTO drafts (user_id, channel_id, text, version, updated_at) VALUES (${owner}, ${channel}, 'x', 1, now())`;
  }
  await sql`INSERT INTO file_usage (user_id, bytes) VALUES (${EVERYBODY}, 12040) ON CONFLICT (user_id) DO UPDATE SET bytes = 12040`;
  const request = () => ({ credentialId, actorId: admin, userId: user, eventId: uuidv7(), now: new Date(), traceparent: null });
  await db.transaction((tx) => deactivateUser(tx, request()));
  for (let n = 0; n < 2; n++) await db.transaction((tx) => requestRedaction(tx, request()));
  await eventually(async () => asked.length >= 2 && (await lag()) === 0);

  expect(await sql`SELECT f.uploader_id, count(*)::integer AS files FROM files f WHERE f.deleted_at IS NULL GROUP BY f.uploader_id`).toEqual([{ uploader_id: admin, files: 1 }]);
  expect(await sql`SELECT u.user_id, u.bytes::integer AS bytes FROM file_usage u WHERE u.user_id IN (${user}, ${admin}, ${EVERYBODY}) ORDER BY bytes, u.user_id = ${admin}`).toEqual([
    { user_id: user, bytes: 0 }, { user_id: EVERYBODY, bytes: 10 }, { user_id: admin, bytes: 10 },
  ]);
  expect(await sql`SELECT s.author_id, d.user_id FROM scheduled_messages s FULL JOIN drafts d ON d.user_id = s.author_id`).toEqual([{ author_id: admin, user_id: admin }]);
  const told = await sql<{ key: string; data: unknown }[]>`SELECT e.key, e.data FROM event_log e WHERE e.topic = 'file.events'`;
  expect([told.length, new Set(told.map(({ key }) => key)).size]).toEqual([1_203, 1_203]);
  for (const { key, data } of told) expect(fileEventSchema.parse(data)).toMatchObject({ type: 'file.deleted', actor_id: admin, file: { id: key, uploader_id: user } });
});
