import { pino } from 'pino';
import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { appendDirectoryEvent } from '../../db/queries/directory-events.ts';
import { EventWriter } from '../../tests/support/conversation.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { drain, insertChannel, insertUser, insertWebhook, readDeliveries, readState } from '../../tests/support/webhook-bed.ts';
import { createEventLogSource } from '../runtime/event-log-source.ts';
import { groupService } from '../runtime/group-runner.ts';
import type { Service } from '../runtime/service.ts';
import { totalLag } from '../runtime/stream-lag.ts';
import { webhookSender } from './group.ts';

const URL_OF = 'https://hook.example/';

let database: TestDatabase;
let sql: Sql;
let backlogged: string[];
let service: Service;
let quiet: () => Promise<void>;
let owner: string;
let channel: string;
let write: EventWriter;

beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  backlogged = [];
  owner = await insertUser(sql);
  channel = await insertChannel(sql, [owner]);
  write = new EventWriter(owner);
  // What the writer dates is not of today.
  await sql`INSERT INTO consumer_groups (group_id, started_at) VALUES ('webhook-sender', 'epoch')`;
  start();
});

afterEach(async () => {
  await service.stop();
  await database.drop();
});

function start(mostWaiting = 1_000): void {
  const group = webhookSender({ now: () => new Date(), onBacklogged: (id) => backlogged.push(id), mostWaiting });
  const source = createEventLogSource({ databaseUrl: database.url, sql, groupId: group.id, topics: group.topics, onError: console.error, batchRecords: 7 });
  service = groupService(group, source, { sql, log: pino({ level: 'silent' }), chance: { now: () => new Date(), random: Math.random }, onTaken: () => {} });
  void service.run();
  quiet = () => eventually(async () => totalLag(await source.lag()) === 0);
}

const told = async (webhookId: string): Promise<string[]> => (await readDeliveries(sql, webhookId)).map(({ event_id }) => event_id);

describe('what is noted for a webhook', () => {
  it('is every event of the types it asks for, once, also when the whole topic is read again (G2, G7)', async () => {
    const all = await insertWebhook(sql, owner, URL_OF);
    const some = await insertWebhook(sql, owner, URL_OF, { types: ['message.deleted', 'reaction.added'], channelId: channel });
    const [first, second] = [write.send('one'), write.send('two')];
    const events = [first, second, write.edit(first, 'uno'), write.react(second), write.unreact(second), write.delete(first), write.memberAdded(uuidv7())];
    await drain(sql, channel, events);
    for (let times = 0; times < 2; times += 1) {
      await quiet();
      // Nothing for the room's announcement of a member: that is the directory's to tell.
      expect(await told(all.id)).toEqual(events.slice(0, 6).map(({ id }) => id));
      expect(await told(some.id)).toEqual([events[3]?.id, events[5]?.id]);
      await service.stop();
      await sql`WITH offsets AS (DELETE FROM consumer_offsets) DELETE FROM consumer_keys`;
      start();
    }
  });

  it('is without what messages say, however long its event waits', async () => {
    await insertWebhook(sql, owner, URL_OF);
    const first = write.send('nobody keeps this');
    await drain(sql, channel, [first, write.edit(first, 'nor this')]);
    await quiet();
    const kept = await sql<{ data: object }[]>`SELECT data FROM webhook_events ORDER BY id`;
    expect(kept).toMatchObject([{ data: { message_id: first.message_id, text: '' } }, { data: { message_id: first.message_id, text: '' } }]);
  });

  it('is of channels of which its owner is a member, and of no other (G5)', async () => {
    const stranger = await insertUser(sql);
    const [mine, theirs, others] = [await insertWebhook(sql, owner, URL_OF), await insertWebhook(sql, stranger, URL_OF), await insertChannel(sql, [stranger], 'public')];
    const bound = await insertWebhook(sql, stranger, URL_OF, { channelId: channel });
    const [here, there] = [write.send('here'), new EventWriter(stranger).send('there')];
    await drain(sql, channel, [here]);
    await drain(sql, others, [there]);
    await quiet();
    expect([await told(mine.id), await told(theirs.id), await told(bound.id)]).toEqual([[here.id], [there.id], []]);
  });

  it('is nothing for owners who are deactivated, webhooks that are disabled, imported messages and what was before (G5)', async () => {
    const [gone, since] = [await insertUser(sql), new Date(1_795_000_000_000 + 60_000)];
    await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${channel}, ${gone}, 9)`;
    await sql`UPDATE users SET deactivated_at = now() WHERE id = ${gone}`;
    const [deactivated, off, late, open] = [await insertWebhook(sql, gone, URL_OF), await insertWebhook(sql, owner, URL_OF), await insertWebhook(sql, owner, URL_OF, { createdAt: since }), await insertWebhook(sql, owner, URL_OF)];
    await sql`UPDATE webhooks SET state = 'disabled', disabled_reason = 'owner' WHERE id = ${off.id}`;
    const [plain, imported] = [write.send(), write.send('old', { source: 'irc', author: 'x', sent_at: '2004' })];
    await drain(sql, channel, [plain, imported]);
    await quiet();
    expect(await Promise.all([deactivated, off, late, open].map(({ id }) => told(id)))).toEqual([[], [], [], [plain.id]]);
  });

  it('is the directory\'s events of its channels, too', async () => {
    const webhook = await insertWebhook(sql, owner, URL_OF);
    const base = { actor_id: owner, at: new Date().toISOString() };
    const [added, archived] = [uuidv7(), uuidv7()];
    await database.connection.db.transaction(async (tx) => {
      await appendDirectoryEvent(tx, { ...base, id: added, type: 'channel.member_added', channel_id: channel, user_id: owner, role: 'member', version: 2 });
      await appendDirectoryEvent(tx, { ...base, id: archived, type: 'channel.updated', channel: { id: channel, kind: 'private', name: 'x', topic: '' }, archived: true, version: 2 });
      await appendDirectoryEvent(tx, { ...base, id: uuidv7(), type: 'user.updated', user: { id: owner, handle: 'x', display_name: 'X', role: 'member' }, version: 2 });
    });
    await quiet();
    expect(await told(webhook.id)).toEqual([added, archived]);
  });

  it('on a database that is older than the group is nothing of the past', async () => {
    await sql`DELETE FROM consumer_groups`;
    const webhook = await insertWebhook(sql, owner, URL_OF);
    const [old, young] = [write.send('old'), { ...write.send('young'), at: new Date().toISOString() }];
    await drain(sql, channel, [{ ...old, at: new Date(Date.now() - 4_000_000).toISOString() }, young]);
    await quiet();
    expect(await told(webhook.id)).toEqual([young.id]);
  });

  it('is bounded: with more waiting than it may have, the webhook is disabled and what waits is cancelled; others go on (G8)', async () => {
    await service.stop();
    start(20);
    const [full, other] = [await insertWebhook(sql, owner, URL_OF), await insertWebhook(sql, owner, URL_OF, { types: ['message.deleted'] })];
    const sent = Array.from({ length: 60 }, () => write.send());
    const [first] = sent;
    if (first === undefined) throw new Error('nothing was sent');
    await drain(sql, channel, [...sent, write.delete(first)]);
    await quiet();
    const rows = await readDeliveries(sql, full.id);
    expect([backlogged, await readState(sql, full.id)]).toEqual([[full.id], { state: 'disabled', disabled_reason: 'backlogged', failures: 0 }]);
    expect(rows.length).toBeLessThanOrEqual(20 + 7);
    expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['cancelled']));
    expect([(await readState(sql, other.id)).state, (await told(other.id)).length]).toEqual(['enabled', 1]);
  });
});
