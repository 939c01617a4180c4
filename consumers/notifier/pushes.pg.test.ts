import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import type { Inbox } from '../../durable-objects/user-inbox/inbox.ts';
import type { UserTelling } from '../../protocol/tellings.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type InboxClient, joined, openInbox, recordOf } from '../../tests/support/inbox-core.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { insertPerson, insertSubscription } from '../../tests/support/push-bed.ts';
import { StoredRoom } from '../../tests/support/stored-room.ts';
import { createEventLogSource } from '../runtime/event-log-source.ts';
import { groupService } from '../runtime/group-runner.ts';
import type { Service } from '../runtime/service.ts';
import { totalLag } from '../runtime/stream-lag.ts';
import { notifier } from './group.ts';

let database: TestDatabase;
let sql: Sql;
let inboxes: Map<string, Inbox<InboxClient>>;
let service: Service;
let lag: () => Promise<number>;
let room: StoredRoom;
let ann: string;
let ben: string;
let browser: string;

const inboxOf = async (userId: string): Promise<Inbox<InboxClient>> => {
  const inbox = inboxes.get(userId) ?? (await openInbox(userId, { record: recordOf(sql, userId), clock: Date.now }));
  inboxes.set(userId, inbox);
  return inbox;
};
const tell = async (tellings: readonly UserTelling[]): Promise<[]> => {
  for (const { user_id, ...telling } of tellings) (await inboxOf(user_id)).tell(telling);
  return [];
};

beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  inboxes = new Map();
  const [first, second] = [await insertPerson(sql), await insertPerson(sql)];
  [ann, ben] = [first.id, second.id];
  await sql`UPDATE users SET handle = 'ben' WHERE id = ${ben}`;
  room = new StoredRoom(sql);
  await sql`INSERT INTO channels (id, kind, name, created_by, members_version) VALUES (${room.id}, 'public', 'engine', ${ann}, 2)`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${room.id})`;
  for (const [n, id] of [ann, ben].entries()) await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${room.id}, ${id}, ${n + 1})`;
  ({ id: browser } = await insertSubscription(sql, second, 'http://127.0.0.1:9'));
  await insertSubscription(sql, first, 'http://127.0.0.1:9');
  const source = createEventLogSource({ databaseUrl: database.url, sql, groupId: 'notifier', topics: ['message.events', 'channel.events', 'user.events'], onError: () => {} });
  service = groupService(notifier({ tell }), source, { sql, log: pino({ level: 'silent' }), chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
  lag = async () => totalLag(await source.lag());
  void service.run();
});
afterEach(async () => {
  await service.stop();
  await database.drop();
});

const settled = (): Promise<void> =>
  eventually(async () => {
    const [{ drained }] = await sql<[{ drained: number }]>`SELECT coalesce(sum(l.drained_seq), 0)::integer AS drained FROM inbox_logs l`;
    return drained === [...inboxes.values()].reduce((sum, inbox) => sum + inbox.seq, 0) && (await lag()) === 0;
  }, 15_000);
const pushes = () => sql<{ subscription_id: string; message_id: string }[]>`
  SELECT p.subscription_id, n.message_id FROM pushes p JOIN push_subscriptions s ON s.id = p.subscription_id
  JOIN notifications n ON n.user_id = s.user_id AND n.seq = p.notice_seq AND n.id = p.notice_id ORDER BY n.seq`;

describe('what the notifier notes for browsers', () => {
  it('is what the inbox has logged: once, for each browser of whom it is meant for (G2)', async () => {
    await room.send(ann, 'for nobody');
    const mention = await room.send(ann, 'hello @ben');
    await settled();
    expect(await pushes()).toEqual([{ subscription_id: browser, message_id: mention }]);
    expect(await sql`SELECT FROM push_subscriptions WHERE due_at IS NOT NULL`).toHaveLength(1);
  });

  it('is nothing of what its user has before their eyes', async () => {
    const inbox = await inboxOf(ben);
    const device = await joined(inbox);
    await inbox.message(device, JSON.stringify({ type: 'viewing', channel_id: room.id }));
    await room.send(ann, 'hello @ben');
    await settled();
    expect(await pushes()).toEqual([]);
  });

  it('is nothing of quiet hours, of muted channels, nor at the level none', async () => {
    await sql`INSERT INTO notification_settings (user_id, quiet_start, quiet_end, quiet_zone, quiet_weekdays) VALUES (${ben}, 0, 0, 'UTC', 127)`;
    await room.send(ann, 'in quiet hours, @ben');
    await settled();
    expect(await sql`SELECT FROM notifications WHERE quiet`).toHaveLength(1);
    await sql`UPDATE notification_settings SET quiet_start = NULL, quiet_end = NULL, quiet_zone = NULL, quiet_weekdays = NULL, level = 'all'`;
    await sql`INSERT INTO channel_notification_settings (channel_id, user_id, muted_until) VALUES (${room.id}, ${ben}, 'infinity')`;
    await room.send(ann, 'muted');
    await sql`UPDATE channel_notification_settings SET muted_until = NULL, level = 'none'`;
    await room.send(ann, 'for nobody, @ben');
    await settled();
    expect(await pushes()).toEqual([]);
  });
});
