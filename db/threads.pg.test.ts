import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql as drizzleSql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../client/testing/random.ts';
import { MAX_UNREAD } from '../protocol/limits.ts';
import { EventWriter } from '../tests/support/conversation.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { seedsOfRun } from '../tests/support/seed.ts';
import { NAMES, ThreadBed } from '../tests/support/thread-bed.ts';
import { drain } from '../tests/support/webhook-bed.ts';
import type { Sql, Transaction } from './client.ts';
import { chooseFollowing, findThreadState, listThreads } from './queries/threads.ts';
import { leaveChannel } from './queries/members.ts';

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());

describe('who follows, and what they have not read, equal a pass over what happened (G2, G7)', () => {
  it.each(seedsOfRun(4))('seed %d', { timeout: 60_000 }, async (seed) => {
    const random = seededRandom(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const bed = await new ThreadBed(database).start();
    for (let n = 0; n < 3; n += 1) bed.root(pick(NAMES));
    for (let round = 0; round < 40; round += 1) {
      for (let n = Math.floor(random() * 5); n > 0; n -= 1) {
        bed.reply(pick(bed.roots), pick([...bed.members]), NAMES.filter(() => random() < 0.15));
        const own = pick(bed.replies);
        if (random() < 0.15 && !bed.deleted.has(own.message_id)) bed.delete(own);
      }
      await bed.drain(() => 1 + Math.floor(random() * 4));
      const [root, name, dice] = [pick(bed.roots), pick([...bed.members]), random()];
      if (dice < 0.25) await bed.choose(root, name, random() < 0.5);
      else if (dice < 0.45) await bed.mark(root, name, Math.floor(random() * ((bed.drained.get(root.message_id) ?? 0) + 4)));
      else if (dice < 0.55 && bed.members.size > 2) await bed.leave(name);
      else if (dice < 0.7) for (const gone of NAMES.filter((one) => !bed.members.has(one))) await bed.join(gone);
      for (const each of bed.members) {
        const states = [];
        for (const one of bed.roots) states.push(await findThreadState(database.connection.db, bed.request(one.message_id, each)));
        expect(states, `${each} in round ${round}`).toMatchObject(bed.roots.map((one) => ({ ok: bed.expected(one, each) })));
        const followed = bed.roots.filter((one) => bed.expected(one, each).following && bed.expected(one, each).reply_count > 0);
        for (const unread of [false, true]) {
          const listed = await listThreads(database.connection.db, bed.user(each).credential, { unread, before: null, limit: 100 });
          const wanted = followed.filter((one) => !unread || bed.expected(one, each).unread_replies > 0).map(({ message_id }) => message_id);
          expect('ok' in listed && listed.ok.data.map(({ thread_id }) => thread_id).toSorted()).toEqual(wanted.toSorted());
        }
      }
    }
  });
});

it('a choice and a reply at the same moment come one after the other, and so do a removal and a reply (G5, G7)', async () => {
  for (let round = 0; round < 12; round += 1) {
    const bed = await new ThreadBed(database).start();
    const root = bed.root('ann');
    bed.reply(root, 'ben');
    await bed.drain(() => 10);
    bed.reply(root, 'cas', ['ben', 'dan']);
    const [unfollowing] = [database.connection.db.transaction((tx) => chooseFollowing(tx, bed.request(root.message_id, 'ben'), false)), bed.drain(() => 10)];
    const leaving = bed.leave('dan');
    await Promise.all([unfollowing, leaving]);
    await bed.drain(() => 10);
    await expect.poll(async () => (await sql`SELECT 1 FROM threads WHERE root_id = ${root.message_id} AND last_tpos = 2`).length).toBe(1);
    const [row] = await sql<{ choice_tpos: string; since_tpos: string | null }[]>`SELECT choice_tpos, since_tpos FROM thread_followers WHERE root_id = ${root.message_id} AND user_id = ${bed.user('ben').id}`;
    // The reply names them: it is before the choice, which then holds, or after it, and they follow again.
    expect([row?.choice_tpos, row?.since_tpos]).toEqual(row?.choice_tpos === '2' ? ['2', null] : ['1', '1']);
    expect(await sql`SELECT 1 FROM thread_followers WHERE user_id = ${bed.user('dan').id}`).toHaveLength(0);
  }
});

it('a reply that is drained while its author is being removed leaves nothing of them behind (G5)', async () => {
  const bed = await new ThreadBed(database).start();
  const root = bed.root('ann');
  bed.reply(root, 'ben');
  const { id, credential } = bed.user('ben');
  const change = { channelId: bed.channel, userId: id, actorId: id, credentialId: credential, eventId: uuidv7(), now: new Date(), traceparent: null };
  const { promise: isDraining, resolve: draining } = Promise.withResolvers<void>();
  const removal = database.connection.db.transaction(async (tx) => {
    await leaveChannel(tx, change);
    draining();
    await sleep(300);
  });
  await isDraining;
  await Promise.all([removal, bed.drain(() => 10)]);
  expect(await sql`SELECT user_id FROM thread_followers WHERE root_id = ${root.message_id}`).toEqual([{ user_id: bed.user('ann').id }]);
});

it('what was written before there were followers has them by the migration, as if it had just been drained (G7)', async () => {
  const migration = readFileSync(join(import.meta.dirname, 'migrations/0015_threads_drafts_schedule.sql'), 'utf8');
  const backfill = migration.split('--> statement-breakpoint').at(-1) ?? '';
  const bed = await new ThreadBed(database).start();
  const random = seededRandom(7);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  for (let n = 0; n < 5; n += 1) bed.root(pick(NAMES));
  for (let n = 0; n < 40; n += 1) bed.reply(pick(bed.roots), pick(NAMES), NAMES.filter(() => random() < 0.2));
  await bed.drain(() => 3);
  const rows = () => sql`SELECT root_id, user_id, auto_since, renamed_tpos, since_tpos FROM thread_followers WHERE channel_id = ${bed.channel} ORDER BY root_id, user_id`;
  const drained = [...(await rows())];
  await sql`TRUNCATE thread_followers`;
  await sql.unsafe(backfill);
  expect([...(await rows())]).toEqual(drained);
  expect(drained.length).toBeGreaterThan(10);
});

it('an import follows nothing, and neither does a reply to what was imported for whoever imported it', async () => {
  const bed = await new ThreadBed(database).start();
  const write = new EventWriter(bed.user('ann').id);
  const root = write.send('old', { source: 'irc', author: 'x', sent_at: '2004' });
  await drain(sql, bed.channel, [root, { ...write.reply(root), origin: { source: 'irc', author: 'y', sent_at: '2004' } }, { ...write.reply(root), actor_id: bed.user('ben').id }]);
  const rows = await sql<{ user_id: string; since_tpos: string }[]>`SELECT user_id, since_tpos FROM thread_followers WHERE channel_id = ${bed.channel}`;
  expect(rows).toEqual([{ user_id: bed.user('ben').id, since_tpos: '2' }]);
});

/** Of history, by this session so far: what it did in the last second or so is among it, whichever transaction that was in. */
async function rowsRead(tx: Transaction): Promise<number> {
  const [row] = await tx.execute<{ rows: number }>(drizzleSql`SELECT sum(idx_tup_fetch + seq_tup_read)::integer AS rows FROM pg_stat_xact_user_tables WHERE relname LIKE 'messages%'`);
  return row?.rows ?? Number.NaN;
}

it(`who follows thousands of threads, and one with more than ${MAX_UNREAD} replies, costs their list the rows of a page (G8)`, { timeout: 60_000 }, async () => {
  const bed = await new ThreadBed(database).start();
  const root = bed.root('ann');
  for (let n = 0; n < 2_500; n += 1) bed.reply(root, 'ben');
  await bed.drain(() => 500);
  const ann = bed.user('ann');
  await sql`
    WITH made AS (
      INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at)
      SELECT uuid_floor(now() - make_interval(secs => n)), ${bed.channel}, 100000 + n, 100000 + n, ${ann.id}, n::text, 'x', now() FROM generate_series(1, 10000) n RETURNING id
    ), threaded AS (
      INSERT INTO threads (root_id, channel_id, reply_count, last_tpos, last_reply_at) SELECT id, ${bed.channel}, 1, 1, now() FROM made RETURNING root_id
    )
    INSERT INTO thread_followers (root_id, user_id, channel_id, auto_since) SELECT root_id, ${ann.id}, ${bed.channel}, 0 FROM threaded`;
  await sql`ANALYZE thread_followers, threads, messages`;
  const page = { unread: false, before: null, limit: 51 };
  await listThreads(database.connection.db, ann.credential, page);
  const begun = performance.now();
  const [found, read] = await database.connection.db.transaction(async (tx) => {
    const before = await rowsRead(tx);
    const listed = await listThreads(tx, ann.credential, page);
    return [listed, (await rowsRead(tx)) - before] as const;
  });
  console.info(`a page of 51 of 10,001 threads: ${Math.round(performance.now() - begun)} ms`);
  expect('ok' in found && found.ok.data).toHaveLength(51);
  // The roots of the page, and unread replies of at most one long thread.
  expect(read).toBeLessThan(MAX_UNREAD + 3 * 51);
  const unread = await listThreads(database.connection.db, ann.credential, { ...page, unread: true });
  expect('ok' in unread && unread.ok.data.find(({ thread_id }) => thread_id === root.message_id)?.unread_replies).toBe(MAX_UNREAD);
});
