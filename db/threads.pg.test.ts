import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql as drizzleSql } from 'drizzle-orm';
import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../client/testing/random.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import { MAX_UNREAD } from '../protocol/limits.ts';
import { EventWriter } from '../tests/support/conversation.ts';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import { drain, insertChannel } from '../tests/support/webhook-bed.ts';
import type { Sql } from './client.ts';
import { chooseFollowing, findThreadState, listThreads, markThreadRead } from './queries/threads.ts';
import { leaveChannel } from './queries/members.ts';

const NAMES = ['ann', 'ben', 'cas', 'dan'] as const;
type Name = (typeof NAMES)[number];
type Created = Extract<ChannelEvent, { type: 'message.created' }>;

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());

/** What the test knows of somebody and a thread, in a way of its own: what happened, in its order. */
type Happening = { readonly kind: 'root' } | { readonly kind: 'replied' | 'named' | 'followed' | 'unfollowed'; readonly tpos: number };

/** From which reply on, or null: one pass over what happened. */
function sinceOf(happened: readonly Happening[]): number | null {
  let [auto, since, isHeld]: [number | null, number | null, boolean] = [null, null, false];
  let chosen = false;
  for (const one of happened) {
    if (one.kind === 'followed') {
      if (since === null) [since, chosen, isHeld] = [one.tpos, true, false];
      continue;
    }
    if (one.kind === 'unfollowed') {
      [since, chosen, isHeld] = [null, true, true];
      continue;
    }
    const from = one.kind === 'root' ? 0 : one.kind === 'named' ? one.tpos - 1 : one.tpos;
    auto = Math.min(auto ?? from, from);
    if (!chosen) since = auto;
    if (isHeld && one.kind === 'named') [since, isHeld] = [one.tpos - 1, false];
  }
  return since;
}

class Bed {
  readonly users = new Map<Name, { readonly id: string; readonly handle: string; readonly credential: string }>();
  readonly members = new Set<Name>(NAMES);
  readonly happened = new Map<string, Happening[]>();
  readonly roots: Created[] = [];
  readonly replies: Created[] = [];
  readonly deleted = new Set<string>();
  readonly read = new Map<string, number>();
  readonly drained = new Map<string, number>();
  channel = '';
  #writer = new EventWriter('');
  #waiting: ChannelEvent[] = [];

  async start(): Promise<this> {
    for (const name of NAMES) {
      const [id, credential] = [uuidv7(), uuidv7()];
      const handle = `${name}-${id.slice(-6)}`;
      await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${id}, 'test', ${id}, ${handle}, ${name})`;
      await sql`
        INSERT INTO credentials (id, secret_hash, kind, user_id, name, scopes, expires_at)
        VALUES (${credential}, ${Buffer.from(credential)}, 'personal', ${id}, 'test', '{}', now() + interval '1 hour')`;
      this.users.set(name, { id, handle, credential });
    }
    this.channel = await insertChannel(sql, [...this.users.values()].map(({ id }) => id), 'public');
    return this;
  }

  user = (name: Name) => this.users.get(name) ?? { id: '', handle: '', credential: '' };
  #listOf = (root: string, name: Name): Happening[] => {
    const key = `${root} ${name}`;
    const list = this.happened.get(key) ?? [];
    this.happened.set(key, list);
    return list;
  };
  request = (root: string, name: Name) => ({ credentialId: this.user(name).credential, userId: this.user(name).id, channelId: this.channel, rootId: root });

  root(by: Name): Created {
    const event = { ...this.#writer.send(), actor_id: this.user(by).id };
    this.roots.push(event);
    this.#waiting.push(event);
    return event;
  }

  reply(root: Created, by: Name, named: readonly Name[] = []): Created {
    const text = ['hear', ...named.map((name) => `@${this.user(name).handle}`)].join(' ');
    const event = { ...this.#writer.reply(root, text), actor_id: this.user(by).id };
    this.replies.push(event);
    this.#waiting.push(event);
    return event;
  }

  delete(message: Created): void {
    this.deleted.add(message.message_id);
    this.#waiting.push({ ...this.#writer.delete(message), actor_id: message.actor_id });
  }

  /** `cut`: into batches of so many events. */
  async drain(cut: () => number): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, cut());
      await drain(sql, this.channel, batch);
      for (const event of batch) this.#note(event);
    }
  }

  #note(event: ChannelEvent): void {
    if (event.type !== 'message.created' || event.thread_id === null || event.tpos === null) return;
    const { thread_id, tpos } = event;
    this.drained.set(thread_id, tpos);
    const root = this.roots.find(({ message_id }) => message_id === thread_id);
    for (const name of this.members) {
      const { id, handle } = this.user(name);
      if (root?.actor_id === id) this.#listOf(thread_id, name).push({ kind: 'root' });
      if (event.actor_id === id) this.#listOf(thread_id, name).push({ kind: 'replied', tpos });
      else if (event.text.split(' ').includes(`@${handle}`)) this.#listOf(thread_id, name).push({ kind: 'named', tpos });
    }
  }

  async choose(root: Created, name: Name, follows: boolean): Promise<void> {
    const chosen = await database.connection.db.transaction((tx) => chooseFollowing(tx, this.request(root.message_id, name), follows));
    expect(chosen).toMatchObject({ ok: { state: { following: follows } } });
    this.#listOf(root.message_id, name).push({ kind: follows ? 'followed' : 'unfollowed', tpos: this.drained.get(root.message_id) ?? 0 });
  }

  async leave(name: Name): Promise<void> {
    const { id, credential } = this.user(name);
    const change = { channelId: this.channel, userId: id, actorId: id, credentialId: credential, eventId: uuidv7(), now: new Date(), traceparent: null };
    expect(await database.connection.db.transaction((tx) => leaveChannel(tx, change))).toEqual({ ok: true });
    this.members.delete(name);
    for (const key of this.happened.keys()) if (key.endsWith(` ${name}`)) this.happened.delete(key);
  }

  async join(name: Name): Promise<void> {
    const { id } = this.user(name);
    await sql`DELETE FROM former_members WHERE channel_id = ${this.channel} AND user_id = ${id}`;
    await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${this.channel}, ${id}, 9)`;
    this.members.add(name);
  }

  async mark(root: Created, name: Name, tpos: number): Promise<void> {
    const key = `${root.message_id} ${name}`;
    const stands = Math.max(this.read.get(key) ?? 0, tpos);
    expect(await database.connection.db.transaction((tx) => markThreadRead(tx, this.request(root.message_id, name), tpos, new Date()))).toEqual({
      ok: { tpos: stands, isMoved: stands > (this.read.get(key) ?? -1) },
    });
    this.read.set(key, stands);
  }

  expected(root: Created, name: Name) {
    const key = `${root.message_id} ${name}`;
    const since = sinceOf(this.happened.get(key) ?? []);
    const [last, read] = [this.drained.get(root.message_id) ?? 0, Math.max(since ?? 0, this.read.get(key) ?? 0)];
    const live = this.replies.filter(({ thread_id, message_id }) => thread_id === root.message_id && !this.deleted.has(message_id));
    const unread = live.filter(({ tpos, actor_id }) => (tpos ?? 0) > read && actor_id !== this.user(name).id);
    return { following: since !== null, last_tpos: last, read_tpos: read, reply_count: live.length, unread_replies: unread.length };
  }
}

describe('who follows, and what they have not read, equal a pass over what happened (G2, G7)', () => {
  const first = Math.floor(Math.random() * 2 ** 31);
  it.each([0, 1, 2, 3].map((nth) => first + nth))('seed %d', { timeout: 60_000 }, async (seed) => {
    const random = seededRandom(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const bed = await new Bed().start();
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
      else if (dice < 0.45) await bed.mark(root, name, Math.floor(random() * ((bed.drained.get(root.message_id) ?? 0) + 1)));
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
    const bed = await new Bed().start();
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
  const bed = await new Bed().start();
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
  const bed = await new Bed().start();
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
  const bed = await new Bed().start();
  const write = new EventWriter(bed.user('ann').id);
  const root = write.send('old', { source: 'irc', author: 'x', sent_at: '2004' });
  await drain(sql, bed.channel, [root, { ...write.reply(root), origin: { source: 'irc', author: 'y', sent_at: '2004' } }, { ...write.reply(root), actor_id: bed.user('ben').id }]);
  const rows = await sql<{ user_id: string; since_tpos: string }[]>`SELECT user_id, since_tpos FROM thread_followers WHERE channel_id = ${bed.channel}`;
  expect(rows).toEqual([{ user_id: bed.user('ben').id, since_tpos: '2' }]);
});

it(`who follows thousands of threads, and one with more than ${MAX_UNREAD} replies, costs their list the rows of a page (G8)`, { timeout: 60_000 }, async () => {
  const bed = await new Bed().start();
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
  const [listed, replies] = await database.connection.db.transaction(async (tx) => [
    await listThreads(tx, ann.credential, page),
    await tx.execute<{ rows: number }>(drizzleSql`
      SELECT sum(idx_tup_fetch + seq_tup_read)::integer AS rows FROM pg_stat_xact_user_tables WHERE relname LIKE 'messages%'`),
  ]);
  console.info(`a page of 51 of 10,001 threads: ${Math.round(performance.now() - begun)} ms`);
  expect('ok' in listed && listed.ok.data).toHaveLength(51);
  // The roots of the page, and unread replies of at most one long thread.
  expect(replies[0]?.rows).toBeLessThan(MAX_UNREAD + 3 * 51);
  const unread = await listThreads(database.connection.db, ann.credential, { ...page, unread: true });
  expect('ok' in unread && unread.ok.data.find(({ thread_id }) => thread_id === root.message_id)?.unread_replies).toBe(MAX_UNREAD);
});
