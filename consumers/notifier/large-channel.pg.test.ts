import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { findNoticeCandidates, type NoticedMessage } from '../../db/queries/notices.ts';
import { MAX_KEYWORDS } from '../../protocol/limits.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { phrasesOf } from './batch.ts';

const MEMBERS = 10_000;

let database: TestDatabase;
let sql: Sql;
const [channel, author] = [uuidv7(), uuidv7()];

beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${author}, 'test', 'author', 'author', 'Author')`;
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) SELECT gen_random_uuid(), 'test', 'u' || n, 'u' || n, 'User' FROM generate_series(1, ${MEMBERS - 1}::integer) n`;
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${channel}, 'public', 'large', ${author})`;
  await sql`INSERT INTO members (channel_id, user_id, version) SELECT ${channel}, u.id, 1 FROM users u`;
  await sql`INSERT INTO notification_settings (user_id) SELECT u.id FROM users u WHERE u.id <> ${author}`;
  // All begin with the same word, and one in a thousand has a phrase of its own that the message holds.
  await sql`
    INSERT INTO notification_keywords (phrase, user_id, place, keyword)
    SELECT 'the word' || n || ' of' || (CASE WHEN n = 7 THEN substr(u.handle, 2)::integer % 1000 ELSE 0 END), u.id, n, 'x'
    FROM users u CROSS JOIN generate_series(1, ${MAX_KEYWORDS}::integer) n WHERE u.id <> ${author}`;
  await sql`ANALYZE users, members, notification_settings, notification_keywords, channels`;
}, 180_000);
afterAll(() => database.drop());

const message = (text: string): NoticedMessage => ({ n: 0, channel_id: channel, author_id: author, thread_id: null, tpos: null, text, at: Date.now(), is_edit: false });

/** `scans`: how often all keywords were read. */
async function timed(text: string): Promise<{ readonly found: number; readonly ms: number; readonly scans: number }> {
  return await sql.begin(async (tx) => {
    const startedAt = performance.now();
    const sent = message(text);
    const found = await findNoticeCandidates(tx, [sent], phrasesOf(sent));
    const ms = Math.round(performance.now() - startedAt);
    const [stats] = await tx<[{ scans: number }]>`SELECT x.seq_scan::integer AS scans FROM pg_stat_xact_user_tables x WHERE x.relname = 'notification_keywords'`;
    return { found: found.length, ms, scans: stats.scans };
  });
}

it(`a message in a channel of ${MEMBERS} members with ${MAX_KEYWORDS} keywords each costs by whom it concerns, not by who is there (G8)`, async () => {
  await timed('warm');
  const longest = Array.from({ length: 900 }, (_, n) => `the word${n % 50}`).join(' ');
  const results = { few: await timed('here is the word7 of42, as somebody said'), none: await timed(longest), all: await timed('hello the word9 of0') };
  process.stdout.write(`in a channel of ${MEMBERS}: ${JSON.stringify(results)}\n`);
  expect(Object.values(results).map(({ found, scans }) => [found, scans])).toEqual([[10, 0], [0, 0], [MEMBERS - 1, 0]]);
  for (const { ms } of Object.values(results)) expect(ms).toBeLessThan(3_000);
}, 60_000);
