import { afterAll, beforeAll, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { insertChannel, insertUser } from '../tests/support/webhook-bed.ts';
import { fillArchive } from './archive.ts';

let database: TestDatabase;
beforeAll(async () => (database = await testDatabase()));
afterAll(() => database.drop());

test('an archive is what a drain would have left: positions without holes, ids that tell the time, an index of all, and log positions at its end', async () => {
  const { sql } = database.connection;
  const author = await insertUser(sql);
  const channelIds: string[] = [];
  for (let n = 0; n < 3; n++) channelIds.push(await insertChannel(sql, [author]));
  await fillArchive(sql, { channelIds, authorIds: [author], texts: ['one', 'two'], messages: 50_002 }, () => {});
  const channels = await sql`
    SELECT m.channel_id, count(*)::int AS messages, max(m.pos)::int AS last, count(DISTINCT m.pos)::int AS places, l.drained_pos::int AS drained,
      bool_and(abs(extract(epoch FROM m.created_at) * 1000 - ('x' || left(replace(m.id::text, '-', ''), 12))::bit(48)::bigint) < 1) AS timed,
      bool_and(substr(m.id::text, 15, 1) = '7') AS version_7, count(s.id)::int AS indexed
    FROM messages m JOIN conversation_logs l USING (channel_id) LEFT JOIN search_messages s ON s.id = m.id AND s.text = m.text
    GROUP BY m.channel_id, l.drained_pos ORDER BY messages DESC, m.channel_id`;
  const expected = (messages: number) => ({ messages, last: messages, places: messages, drained: messages, timed: true, version_7: true, indexed: messages });
  expect(channels.map(({ channel_id, ...rest }) => [channelIds.includes(String(channel_id)), rest])).toEqual([16_668, 16_667, 16_667].map((count) => [true, expected(count)]));
});
