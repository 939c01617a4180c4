import { pino } from 'pino';
import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import type { Sql } from '../../db/client.ts';
import { countUserBadges } from '../../db/queries/badges.ts';
import { changeChannelNotificationSettings } from '../../db/queries/channel-notification-settings.ts';
import { insertCredential } from '../../db/queries/credentials.ts';
import { changeNotificationSettings } from '../../db/queries/notification-settings.ts';
import type { Inbox } from '../../durable-objects/user-inbox/inbox.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { actorOf, type InboxClient, joined, openInbox, recordOf } from '../../tests/support/inbox-core.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { StoredRoom } from '../../tests/support/stored-room.ts';
import { insertParkedKeys, queueParkedRecords, type StoredRecord } from '../../db/queries/parking.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { createEventLogSource } from '../runtime/event-log-source.ts';
import { groupService } from '../runtime/group-runner.ts';
import { retryDueKey } from '../runtime/parked-retrier.ts';
import { totalLag } from '../runtime/stream-lag.ts';
import { notifier } from './group.ts';
import type { Inboxes } from './inboxes.ts';

const log = pino({ level: 'silent' });
const PEOPLE = ['alice', 'bob', 'carol'] as const;

describe('notifier', () => {
  let database: TestDatabase;
  let sql: Sql;
  let ids: Record<(typeof PEOPLE)[number], string>;
  let inboxes: Map<string, Inbox<InboxClient>>;
  let ahead: number;
  /** The message of which no inbox takes the notice. */
  let refused: string | null;
  let stop: () => Promise<void>;
  let start: () => void;
  let lag: () => Promise<number>;

  const inboxOf = async (userId: string): Promise<Inbox<InboxClient>> => {
    const inbox = inboxes.get(userId) ?? (await openInbox(userId, { record: recordOf(sql, userId), clock: () => Date.now() + ahead }));
    inboxes.set(userId, inbox);
    return inbox;
  };
  /** The Worker's part, without a network. */
  const reached: Inboxes = {
    async tell(tellings) {
      if (tellings.some(({ notices }) => notices.some(({ message_id }) => message_id === refused))) throw new Error('an inbox has failed');
      const answers = await Promise.all(tellings.map(async ({ user_id, ...telling }) => ({ user_id, answer: (await inboxOf(user_id)).tell(telling) })));
      return answers.flatMap(({ user_id, answer }) => (answer.status === 'asleep' ? [{ user_id, awake_version: answer.awake_version }] : []));
    },
  };

  beforeEach(async ({ task }) => {
    database = await testDatabase();
    sql = database.connection.sql;
    [inboxes, ahead, refused] = [new Map(), 0, null];
    ids = { alice: uuidv7(), bob: uuidv7(), carol: uuidv7() };
    for (const name of PEOPLE) await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${ids[name]}, 'test', ${name}, ${name}, ${name})`;
    const source = createEventLogSource({ databaseUrl: database.url, sql, groupId: 'notifier', topics: ['message.events', 'channel.events', 'user.events'], onError: () => {} });
    const service = groupService(notifier(reached), source, { sql, log, chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
    start = () => void service.run();
    if (!task.name.startsWith('on a database older')) start();
    [stop, lag] = [() => service.stop(), async () => totalLag(await source.lag())];
  });

  afterEach(async () => {
    await stop();
    await database.drop();
  });

  async function newRoom(members: readonly (typeof PEOPLE)[number][], kind: 'public' | 'direct' = 'public'): Promise<StoredRoom> {
    const room = new StoredRoom(sql);
    const name = kind === 'direct' ? null : room.id;
    const direct = kind === 'direct' ? `{${members.map((member) => ids[member]).toSorted().join(',')}}` : null;
    await sql`INSERT INTO channels (id, kind, name, created_by, members_version, direct_user_ids) VALUES (${room.id}, ${kind}, ${name}, ${ids.alice}, ${members.length}, ${direct}::text::uuid[])`;
    for (const [index, member] of members.entries()) await sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${room.id}, ${ids[member]}, 'member', ${index + 1})`;
    await sql`INSERT INTO conversation_logs (channel_id) VALUES (${room.id})`;
    return room;
  }

  const quiet = (): Promise<void> =>
    eventually(async () => {
      const [drained] = await sql<[{ markers: number }]>`SELECT coalesce(sum(l.drained_seq), 0)::integer AS markers FROM inbox_logs l`;
      const appended = [...inboxes.values()].reduce((sum, inbox) => sum + inbox.seq, 0);
      return drained.markers === appended && (await lag()) === 0;
    }, 15_000);

  const counted = async (userId: string) =>
    (await countUserBadges(sql, userId))
      .filter(({ unread }) => unread > 0)
      .map(({ channel_id, last_pos, read_pos, unread, mentions }) => ({ channel_id, last_pos, read_pos, unread, mentions }))
      .toSorted((a, b) => (a.channel_id < b.channel_id ? -1 : 1));
  const noticed = (client: InboxClient) => client.events.flatMap((event) => (event.type === 'message.notified' ? [[event.reason, event.message_id]] : []));

  it('notifies members of direct messages, mentions and replies, once each, and nobody else (G2, G5)', async () => {
    const [room, direct] = [await newRoom(['alice', 'bob']), await newRoom(['alice', 'bob'], 'direct')];
    const clients = { alice: await joined(await inboxOf(ids.alice)), bob: await joined(await inboxOf(ids.bob)), carol: await joined(await inboxOf(ids.carol)) };
    const root = await room.send(ids.alice, 'a root, by @alice herself');
    const mention = await room.send(ids.alice, 'hello @Bob, and @carol, who is no member; mail bob@example.org, @bobby');
    const reply = await room.send(ids.bob, 'a reply', root);
    const other = await room.send(ids.alice, 'and another, @bob', root);
    const message = await direct.send(ids.alice, 'directly, @bob');
    await room.send(ids.alice, 'from elsewhere, @bob', null, { source: 'irc', author: 'x', sent_at: '2004' });
    await quiet();
    await eventually(() => noticed(clients.bob).length >= 3);
    expect(noticed(clients.bob)).toEqual([['mention', mention], ['mention', other], ['direct', message]]);
    expect([noticed(clients.alice), noticed(clients.carol), clients.carol.unread]).toEqual([[['thread_reply', reply]], [], []]);
    const badge = (channelId: string) => clients.bob.unread.find(({ channel_id }) => channel_id === channelId);
    await eventually(() => badge(direct.id) !== undefined);
    expect([badge(room.id), badge(direct.id)]).toMatchObject([{ unread: 3, mentions: 2 }, { unread: 1, mentions: 1 }]);
  });

  it('on a database older than itself counts the past, and notifies only of what is new', async () => {
    const room = await newRoom(['alice', 'bob']);
    await room.send(ids.alice, 'long ago, @bob', null, null, new Date(Date.now() - 86_400_000));
    const fresh = await room.send(ids.alice, 'just now, @bob');
    const bob = await joined(await inboxOf(ids.bob));
    start();
    await quiet();
    await eventually(() => bob.unread[0]?.mentions === 2);
    expect(noticed(bob)).toEqual([['mention', fresh]]);
  });

  it('gives a notice that was a dead letter when it is redriven, after newer ones of its channel, and once (G2)', async () => {
    const room = await newRoom(['alice', 'bob']);
    const bob = await joined(await inboxOf(ids.bob));
    const id = uuidv7();
    refused = id;
    await room.send(ids.alice, 'refused at first, @bob', null, null, new Date(), id);
    const later = await room.send(ids.alice, 'and later, @bob');
    await eventually(async () => (await sql<{ n: number }[]>`SELECT count(*)::integer AS n FROM parked_records`)[0]?.n === 2);
    const retry = (minutes: number) => retryDueKey(sql, notifier(reached), { now: () => new Date(Date.now() + minutes * 60_000), random: () => 0.5 });
    for (const minutes of [10, 20, 30]) await retry(minutes);
    await eventually(() => noticed(bob).length === 1);
    refused = null;
    for (let times = 0; times < 2; times++) {
      await redrive(room.id);
      expect(await retry(40)).toMatchObject({ applied: 1, dead: 0 });
    }
    expect(noticed(bob)).toEqual([['mention', later], ['mention', id]]);
  });

  /** The dead letter of the channel is tried again, as any parked record is. */
  async function redrive(key: string): Promise<void> {
    const [letter] = await sql<StoredRecord[]>`
      SELECT d.partition, d.record_offset AS offset, d.record_key AS key, d.record_value AS value, d.headers FROM dead_letters d WHERE d.group_id = 'notifier'`;
    if (letter === undefined) throw new Error('there is no dead letter');
    const at = new Date(0).toISOString();
    const parked = { groupId: 'notifier', topic: 'message.events', key, attempts: 0, errorClass: 'redriven', errorMessage: '', firstFailedAt: at, lastFailedAt: at, nextRetryAt: at } as const;
    await sql.begin(async (tx) => {
      await insertParkedKeys(tx, [parked]);
      await queueParkedRecords(tx, 'notifier', 'message.events', [{ parkedKey: key, record: letter }]);
    });
  }

  it('counts what called a user without naming them as a mention, once its notice is stored (G7)', async () => {
    const room = await newRoom(['alice', 'bob', 'carol']);
    const clients = { bob: await joined(await inboxOf(ids.bob)), carol: await joined(await inboxOf(ids.carol)) };
    await sql`INSERT INTO notification_keywords (user_id, phrase, place, keyword) VALUES (${ids.carol}, 'engine', 1, 'engine')`;
    await room.send(ids.alice, 'nothing');
    await room.send(ids.alice, '@channel: the engine');
    await room.send(ids.alice, 'for @bob and @channel');
    const mentions = () => [clients.bob, clients.carol].map(({ unread }) => unread.map(({ unread: all, mentions: some }) => [all, some]));
    await eventually(() => JSON.stringify(mentions()) === JSON.stringify([[[3, 2]], [[3, 2]]]), 10_000, mentions);
    await quiet();
    expect([await counted(ids.bob), await counted(ids.carol)]).toEqual([clients.bob, clients.carol].map(({ unread }) => unread.map(({ channel_id, last_pos, read_pos, unread: all, mentions: some }) => ({ channel_id, last_pos, read_pos, unread: all, mentions: some }))));
  });

  it('has badges counted again where their user has chosen another level, of a channel or everywhere (G7)', async () => {
    const [room, other] = [await newRoom(['alice', 'bob']), await newRoom(['alice', 'bob'])];
    const bob = await joined(await inboxOf(ids.bob));
    for (const one of [room, other]) await one.send(ids.alice, 'hello @bob');
    const mentions = () => bob.unread.map(({ channel_id, mentions: n }) => [channel_id, n]).toSorted();
    const expected = (inRoom: number, inOther: number) => [[room.id, inRoom], [other.id, inOther]].toSorted();
    await eventually(() => JSON.stringify(mentions()) === JSON.stringify(expected(1, 1)));
    const request = async (expectedVersion: number) => ({ credentialId: await credentialOf(ids.bob), userId: ids.bob, expected: expectedVersion, now: new Date(), traceparent: null });
    const { db } = database.connection;
    const here = await request(0);
    await db.transaction((tx) => changeChannelNotificationSettings(tx, { ...here, channelId: room.id }, { level: 'none' }));
    await eventually(() => JSON.stringify(mentions()) === JSON.stringify(expected(0, 1)), 10_000, mentions);
    await db.transaction((tx) => changeNotificationSettings(tx, here, { level: 'none' }));
    await eventually(() => JSON.stringify(mentions()) === JSON.stringify(expected(0, 0)), 10_000, mentions);
  });

  /** One that lives. */
  async function credentialOf(userId: string): Promise<string> {
    const id = uuidv7();
    const expires_at = new Date(Date.now() + 60_000);
    await insertCredential(database.connection.db, { id, secret_hash: new TextEncoder().encode(id), kind: 'personal', user_id: userId, name: 'test', scopes: [], expires_at });
    return id;
  }

  const seed = seedOfRun();
  it(`once it is quiet every badge that is shown is what Postgres counts, whoever sent, read, edited, deleted, slept and woke (seed ${seed}) (G7)`, async () => {
    const random = seededRandom(seed);
    const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(random() * from.length)];
    const rooms = [await newRoom(PEOPLE), await newRoom(['alice', 'bob'])];
    const clients = new Map<string, InboxClient>();
    let revision = 1;
    let compared = 0;
    await sql`INSERT INTO notification_keywords (user_id, phrase, place, keyword) VALUES (${ids.alice}, 'engine', 1, 'engine')`;

    const live = async (): Promise<void> => {
      const room = pick(rooms);
      const userId = ids[pick(room === rooms[0] ? PEOPLE : (['alice', 'bob'] as const)) ?? 'alice'];
      if (room === undefined) return;
      const inbox = await inboxOf(userId);
      const [dice, own] = [random(), pick(room.sent.filter(({ author }) => author === userId))];
      const client = clients.get(userId);
      if (dice < 0.3) await room.send(userId, pick(['plain', 'for @bob', 'for @alice and @carol', '@channel', 'the engine', '@here: the engine, @bob']) ?? '', random() < 0.2 ? (pick(room.sent.filter(({ thread }) => thread === null))?.id ?? null) : null);
      else if (dice < 0.4 && own) await room.edit(userId, own.id, pick(['now for @bob', 'for nobody']) ?? '', (revision += 1));
      else if (dice < 0.48 && own) {
        await room.delete(own);
        room.sent.splice(room.sent.indexOf(own), 1);
      } else if (dice < 0.7) await inbox.read(actorOf(userId), room.id, Math.floor(random() * (room.pos + 1)));
      else if (dice < 0.8 && client) {
        inbox.left(client);
        clients.delete(userId);
      } else if (dice < 0.88) ahead += 400_000;
      else if (!client) clients.set(userId, await joined(inbox));
    };

    for (let round = 0; round < 60; round++) {
      for (let step = Math.floor(random() * 6); step >= 0; step--) await live();
      await quiet();
      for (const [userId, client] of clients) {
        const expected = await counted(userId);
        const same = (): boolean => JSON.stringify(client.unread) === JSON.stringify(expected);
        await eventually(same, 2_000, () => ({ round, shown: client.unread, expected }));
        compared += 1;
      }
    }
    // Whoever was looking may have left by the last round: some have been looking before.
    expect(compared).toBeGreaterThan(0);
  });
});
