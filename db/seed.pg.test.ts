import { afterAll, beforeAll, expect, test } from 'vitest';
import { directoryEventSchema } from '../protocol/directory-events.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { seed } from './seed.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

const accounts = [
  { handle: 'alice', name: 'Alice Adams' },
  { handle: 'bob', name: 'Bob Baker' },
];
const seedAt = (issuer: string) => seed(database.connection.db, issuer, accounts, new Date());

const users = () => database.connection.sql`SELECT issuer, subject, handle, display_name, role FROM users ORDER BY handle`;
const general = () => database.connection.sql`
  SELECT c.kind, u.handle, m.role, l.epoch, l.drained_seq::int
  FROM channels c JOIN conversation_logs l ON l.channel_id = c.id JOIN members m ON m.channel_id = c.id JOIN users u ON u.id = m.user_id
  WHERE c.name = 'general' ORDER BY u.handle`;
const logged = () => database.connection.sql<{ topic: string; type: string; data: unknown }[]>`
  SELECT topic, type, data FROM event_log ORDER BY position`;

test('seeds two users who share #general, with the events of a real creation', async () => {
  await seedAt('http://127.0.0.1:4000');
  expect(await users()).toMatchObject([
    { issuer: 'http://127.0.0.1:4000', subject: 'alice', handle: 'alice', display_name: 'Alice Adams', role: 'member' },
    { subject: 'bob', handle: 'bob', display_name: 'Bob Baker' },
  ]);
  expect(await general()).toEqual([
    { kind: 'public', handle: 'alice', role: 'owner', epoch: 1, drained_seq: 0 },
    { kind: 'public', handle: 'bob', role: 'member', epoch: 1, drained_seq: 0 },
  ]);
  const events = await logged();
  expect(events.map(({ topic, type }) => `${topic} ${type}`)).toEqual([
    'user.events colink.user.created.v1',
    'user.events colink.user.created.v1',
    'channel.events colink.channel.created.v1',
    'channel.events colink.channel.member_added.v1',
    'channel.events colink.channel.member_added.v1',
  ]);
  for (const { data } of events) directoryEventSchema.parse(data);
});

test('seeding again changes nothing, but for the port of the development provider', async () => {
  const before = [await general(), await logged()];
  await seedAt('http://127.0.0.1:4000');
  await seedAt('http://127.0.0.1:5000');
  expect([await general(), await logged()]).toEqual(before);
  expect((await users()).map((row) => row['issuer'])).toEqual(['http://127.0.0.1:5000', 'http://127.0.0.1:5000']);
});

test('leaves no credential that lets anybody in', async () => {
  expect(await database.connection.sql`SELECT name FROM credentials WHERE revoked_at IS NULL`).toEqual([]);
});
