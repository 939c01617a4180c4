import { sql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { firstIdOf } from '../protocol/primitives.ts';
import { findMoment } from './queries/moments.ts';

const COUNT = 20_000;
const START = Date.now() - COUNT;
const CHANNEL = uuidv7();
const [history, thread] = [{ channelId: CHANNEL, threadId: null }, { channelId: CHANNEL, threadId: firstIdOf(START) }];

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
  const { db } = database.connection;
  const user = uuidv7();
  await db.execute(sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${user}, 'test', ${user}, ${user}, 'Somebody')`);
  await db.execute(sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${CHANNEL}, 'public', 'c', ${user})`);
  // Four messages a millisecond; each fifth event is a reply in the thread of the first.
  await db.execute(sql`
    INSERT INTO messages (id, channel_id, seq, pos, thread_id, tpos, author_id, client_msg_id, text, created_at)
    SELECT (lpad(to_hex(${START}::bigint + n / 4), 12, '0') || '7000' || '8' || lpad(to_hex(n), 15, '0'))::uuid, ${CHANNEL}, n + 1,
      CASE WHEN n % 5 <> 4 THEN n - n / 5 + 1 END, CASE WHEN n % 5 = 4 THEN ${thread.threadId}::uuid END, CASE WHEN n % 5 = 4 THEN n / 5 + 1 END, ${user}, n::text, 'x', now()
    FROM generate_series(0, ${COUNT - 1}) n`);
  await db.execute(sql`INSERT INTO conversation_logs (channel_id, drained_seq, drained_pos) VALUES (${CHANNEL}, ${COUNT}, ${COUNT - COUNT / 5})`);
  await db.execute(sql`INSERT INTO threads (root_id, channel_id, reply_count, last_tpos, last_reply_at) VALUES (${thread.threadId}, ${CHANNEL}, ${COUNT / 5}, ${COUNT / 5}, now())`);
});
afterAll(() => database.drop());

const momentOf = (n: number) => ({ ms: START + Math.floor(n / 4), remainder: (n + 1) % 1_000 });

describe('the place of a moment', () => {
  it('is that of its message, if there is one', async () => {
    const { db } = database.connection;
    for (const n of [0, 1, 7, 998, 999, 1_000, 4_321, 19_998]) {
      const isReply = n % 5 === 4;
      const counter = isReply ? Math.floor(n / 5) + 1 : n - Math.floor(n / 5) + 1;
      expect({ n, ...(await findMoment(db, isReply ? thread : history, momentOf(n))) }).toEqual({ n, before: counter - 1, through: counter });
    }
  });

  it('is between two where there is none, before all, or behind all', async () => {
    const { db } = database.connection;
    // Event 4 is a reply: in history its moment is between the fourth and the fifth message.
    expect(await findMoment(db, history, momentOf(4))).toEqual({ before: 4, through: 4 });
    expect(await findMoment(db, thread, momentOf(5))).toEqual({ before: 1, through: 1 });
    for (const listing of [history, thread]) {
      expect(await findMoment(db, listing, { ms: 0, remainder: 0 })).toEqual({ before: 0, through: 0 });
      const all = listing === history ? COUNT - COUNT / 5 : COUNT / 5;
      expect(await findMoment(db, listing, { ms: Date.now() + 60_000, remainder: 999 })).toEqual({ before: all, through: all });
    }
    expect(await findMoment(db, { channelId: uuidv7(), threadId: null }, momentOf(1))).toEqual({ before: 0, through: 0 });
  });

  it('looks at few rows of many (G8)', async () => {
    const { sql: raw, db } = database.connection;
    await raw`ANALYZE messages`;
    // As this session has it: what others have read may be counted any second later.
    const looked = await db.transaction(async (tx) => {
      const read = async () => Number((await tx.execute<{ n: string }>(sql`SELECT sum(idx_tup_fetch + seq_tup_read) AS n FROM pg_stat_xact_user_tables WHERE relname LIKE 'messages%'`))[0]?.n);
      const before = await read();
      for (let n = 0; n < 20; n++) await findMoment(tx, history, momentOf(n * 997));
      return (await read()) - before;
    });
    expect(looked).toBeGreaterThan(0);
    expect(looked).toBeLessThan(20 * 60);
  });
});
