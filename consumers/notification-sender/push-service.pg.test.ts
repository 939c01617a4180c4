import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { claimSubscriptions, notePushes, purgePushes, readOldestDuePush, releaseSubscription } from '../../db/queries/push-sending.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { insertNotice, insertPerson, insertSubscription, newVapidKeys, type NoticeWishes, PushServer, type TestSubscription, verifiedVapid } from '../../tests/support/push-bed.ts';
import { StoredRoom } from '../../tests/support/stored-room.ts';
import type { Service } from '../runtime/service.ts';
import { createPushService } from './push-service.ts';
import { webPushSender } from './web-push.ts';

const VAPID = newVapidKeys();
const LEASE = '00000000-0000-4000-8000-000000000001';

let database: TestDatabase;
let sql: Sql;
let server: PushServer;
let services: Service[];
let outcomes: string[];
let ended: string[];
let errors: unknown[];
let clock: () => number;
let ann: { id: string; credentialId: string };
let ben: { id: string; credentialId: string };
let room: StoredRoom;
let to: TestSubscription;
let seq: number;

beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  server = await PushServer.listen();
  [services, outcomes, ended, errors, clock, seq] = [[], [], [], [], Date.now, 0];
  [ann, ben] = [await insertPerson(sql), await insertPerson(sql)];
  await sql`UPDATE users SET display_name = 'Ann Lee' WHERE id = ${ann.id}`;
  room = new StoredRoom(sql);
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${room.id}, 'private', 'engine', ${ann.id})`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${room.id})`;
  for (const { id } of [ann, ben]) await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${room.id}, ${id}, 1)`;
  to = await insertSubscription(sql, ben, server.origin);
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await server.close();
  await database.drop();
});

function start(): Service {
  const service = createPushService({
    sql,
    sender: webPushSender({ vapid: VAPID, resolve: () => Promise.reject(new Error('addresses alone are asked')), loopback: true, timeoutMs: 500, now: Date.now }),
    now: () => clock(),
    random: () => 0,
    onSettled: (outcome) => outcomes.push(outcome),
    onEnded: (why) => ended.push(why),
    onError: (error) => errors.push(error),
  });
  services.push(service);
  void service.run();
  return service;
}

/** Ben is notified of a message of Ann's. */
async function notify(text = 'hello @ben', wishes: Partial<NoticeWishes> = {}) {
  const messageId = await room.send(ann.id, text);
  seq += 1;
  const notice = await insertNotice(sql, { userId: ben.id, seq, authorId: ann.id, channelId: room.id, messageId, pos: room.pos, ...wishes });
  return { notice, messageId, sent: { id: messageId, author: ann.id, thread: null } };
}
const rows = async (): Promise<string[]> => (await sql<{ status: string }[]>`SELECT p.status FROM pushes p ORDER BY p.notice_seq`).map(({ status }) => status);
/** Nothing waits, and who sent has said so. */
const isSettled = async (): Promise<boolean> => (await rows()).every((status) => status !== 'pending') && (await sql`SELECT FROM push_subscriptions WHERE lease IS NOT NULL`).length === 0;
const state = async () => (await sql<{ failures: number; waits_ms: number | null; is_leased: boolean }[]>`
  SELECT s.failures, (extract(epoch FROM s.due_at - now()) * 1000)::float8 AS waits_ms, s.lease IS NOT NULL AS is_leased FROM push_subscriptions s`)[0];
const dueNow = () => sql`UPDATE push_subscriptions SET due_at = now() WHERE due_at IS NOT NULL AND lease IS NULL`;
const texts = (): string[] => server.received.map(({ body }) => to.browser.decrypt(body).text);

describe('a push', () => {
  it('is encrypted for its browser, says who sends it, and shows what the list of notifications shows', async () => {
    const { notice, messageId } = await notify('hello @ben, "größer" 👋');
    start();
    await eventually(isSettled);
    const [push] = server.received;
    if (push === undefined) throw new Error('nothing came');
    expect(to.browser.decrypt(push.body)).toMatchObject({
      id: notice, reason: 'mention', channel_id: room.id, channel_name: 'engine', message_id: messageId, thread_id: null, author: 'Ann Lee', text: 'hello @ben, "größer" 👋',
    });
    const { key, claims } = await verifiedVapid(push);
    expect([key, claims.aud, claims.sub]).toEqual([VAPID.publicKey, server.origin, VAPID.subject]);
    expect((claims.exp ?? Infinity) - Date.now() / 1_000).toBeLessThanOrEqual(86_400);
    const topic = Buffer.from(notice.replaceAll('-', ''), 'hex').toString('base64url');
    expect(push).toMatchObject({ path: to.path, headers: { 'content-encoding': 'aes128gcm', topic, urgency: 'high', 'content-length': String(push.body.length) } });
    expect(Number(push.headers['ttl'])).toBeGreaterThan(86_000);
    expect([server.received.length, await rows(), outcomes, await state()]).toMatchObject([1, ['sent'], ['sent'], { failures: 0, waits_ms: null, is_leased: false }]);
  });

  it('of the longest text, in characters that JSON makes longest, is no larger than a push may be', async () => {
    await sql`UPDATE users SET display_name = ${'\u0001'.repeat(80)} WHERE id = ${ann.id}`;
    await notify('\u0001'.repeat(10_000));
    await notify(`${'x'.repeat(298)}👋👋`);
    start();
    await eventually(isSettled);
    expect(server.received.map(({ body }) => body.length <= 4_096)).toEqual([true, true]);
    expect(texts()[1]).toBe(`${'x'.repeat(298)}…`);
  });

  it('is noted once, however often its notice is told, and not of a notice that is no news (G2)', async () => {
    const { notice } = await notify();
    await notify('of last week', { at: new Date(Date.now() - 7 * 86_400_000) });
    start();
    await eventually(isSettled);
    for (let times = 0; times < 3; times += 1) await notePushes(sql, [{ id: notice, user_id: ben.id, seq: 1, at: new Date().toISOString() }]);
    await eventually(async () => (await state())?.waits_ms === null);
    expect([server.received.length, await rows()]).toEqual([1, ['sent']]);
  });

  it('waits a moment, in which its notice may be read', async () => {
    const messageId = await room.send(ann.id, 'hello @ben');
    const notice = '00000000-0000-7000-8000-000000000009';
    await sql`
      INSERT INTO notifications (user_id, seq, id, reason, channel_id, message_id, author_id, pos, quiet, created_at)
      VALUES (${ben.id}, 9, ${notice}, 'mention', ${room.id}, ${messageId}, ${ann.id}, ${room.pos}, false, now())`;
    await notePushes(sql, [{ id: notice, user_id: ben.id, seq: 9, at: new Date().toISOString() }]);
    start();
    expect((await state())?.waits_ms).toBeGreaterThan(2_000);
    await sql`UPDATE inbox_logs SET notices_read_seq = 9 WHERE user_id = ${ben.id}`;
    await eventually(isSettled, 10_000);
    expect([server.received, await rows()]).toEqual([[], ['dropped']]);
  });

  it('comes to every browser of its user, in the order of notices, and to nobody else\'s (G5)', async () => {
    const [second, other] = [await insertSubscription(sql, ben, server.origin), await insertSubscription(sql, ann, server.origin)];
    for (let n = 0; n < 25; n += 1) await notify(`number ${n}`);
    for (let n = 0; n < 3; n += 1) start();
    await eventually(async () => (await rows()).length === 50 && (await isSettled()), 20_000);
    const numbers = Array.from({ length: 25 }, (_, n) => `number ${n}`);
    for (const { path, browser } of [to, second]) expect(server.received.filter((push) => push.path === path).map(({ body }) => browser.decrypt(body).text)).toEqual(numbers);
    expect(server.received.filter(({ path }) => path === other.path)).toEqual([]);
  });
});

describe('nobody is told', () => {
  const expectNothing = async (): Promise<void> => {
    start();
    await eventually(isSettled);
    expect([server.received, await rows()]).toEqual([[], ['dropped']]);
  };

  it('the text of a message that was deleted meanwhile', async () => {
    const { sent } = await notify('a secret');
    await room.delete(sent);
    await expectNothing();
  });

  it('what they have read meanwhile: in its channel', async () => {
    await notify();
    await sql`INSERT INTO read_states (user_id, channel_id, read_pos, updated_at) VALUES (${ben.id}, ${room.id}, ${room.pos}, now())`;
    await expectNothing();
  });

  it('what they have read meanwhile: in the list of notifications', async () => {
    await notify();
    await sql`UPDATE inbox_logs SET notices_read_seq = ${seq} WHERE user_id = ${ben.id}`;
    await expectNothing();
  });

  it('of a channel that they have left', async () => {
    await notify();
    await sql`DELETE FROM members WHERE user_id = ${ben.id}`;
    await expectNothing();
  });

  it('of a notice of their quiet hours', async () => {
    await notify('hello', { quiet: true });
    await expectNothing();
  });

  it('in their quiet hours, of what came before them', async () => {
    await sql`INSERT INTO notification_settings (user_id, quiet_start, quiet_end, quiet_zone, quiet_weekdays) VALUES (${ben.id}, 60, 120, 'UTC', 127)`;
    clock = () => Date.UTC(2026, 10, 27, 1, 30);
    await notify();
    await expectNothing();
  });

  it.each([
    ['all', 'muted', 'thread_reply'], ['mentions', 'not muted', 'all'], ['none', 'not muted', 'mention'],
  ] as const)('at the level %s, %s meanwhile, of a notice because of %s', async (level, muted, reason) => {
    await notify('hello', { reason });
    await sql`
      INSERT INTO channel_notification_settings (channel_id, user_id, level, muted_until) VALUES (${room.id}, ${ben.id}, ${level}, ${muted === 'muted' ? 'infinity' : null}::timestamptz)`;
    await expectNothing();
  });

  it('but of a mention in a muted channel, and outside of quiet hours', async () => {
    await sql`INSERT INTO notification_settings (user_id, quiet_start, quiet_end, quiet_zone, quiet_weekdays) VALUES (${ben.id}, 60, 120, 'UTC', 127)`;
    await sql`INSERT INTO channel_notification_settings (channel_id, user_id, muted_until) VALUES (${room.id}, ${ben.id}, 'infinity')`;
    clock = () => Date.UTC(2026, 10, 27, 2, 30);
    await notify();
    start();
    await eventually(isSettled);
    expect(texts()).toEqual(['hello @ben']);
  });

  it.each(['revoked', 'expired', 'deactivated'] as const)('in a browser whose session has ended (%s): it is forgotten (G5)', async (how) => {
    await notify();
    if (how === 'revoked') await sql`UPDATE credentials SET revoked_at = now() WHERE id = ${ben.credentialId}`;
    else if (how === 'expired') await sql`UPDATE credentials SET expires_at = now() WHERE id = ${ben.credentialId}`;
    else await sql`UPDATE users SET deactivated_at = now() WHERE id = ${ben.id}`;
    start();
    await eventually(() => ended.length === 1);
    expect([server.received, ended, await rows(), await state()]).toEqual([[], ['ended'], [], undefined]);
  });
});

describe('an endpoint', () => {
  it.each([404, 410])('that answers %i is forgotten, with what waits for it', async (status) => {
    server.answer = () => ({ status });
    await notify();
    await notify();
    start();
    await eventually(() => ended.length === 1);
    expect([server.received.length, ended, await rows(), await state()]).toEqual([1, ['gone'], [], undefined]);
  });

  it.each([400, 403, 413, 301])('that refuses a push by %i is not asked again for it, and gets the next', async (status) => {
    server.answer = (_, nth) => ({ status: nth === 1 ? status : 201 });
    await notify('too much');
    await notify('hello');
    start();
    await eventually(isSettled);
    expect([texts(), await rows(), outcomes]).toEqual([['too much', 'hello'], ['dropped', 'sent'], ['refused', 'sent']]);
  });

  it.each([['429', 120_000], ['503', 120_000]] as const)('that answers %s is left alone for as long as it asks', async (status, asked) => {
    server.answer = (_, nth) => (nth === 1 ? { status: Number(status), headers: { 'retry-after': String(asked / 1_000) } } : { status: 201 });
    await notify();
    start();
    await eventually(async () => (await state())?.failures === 1);
    const waiting = await state();
    expect([waiting?.is_leased, Math.abs((waiting?.waits_ms ?? 0) - asked) < 10_000, server.received.length]).toEqual([false, true, 1]);
    await dueNow();
    await eventually(isSettled);
    expect([await rows(), await state()]).toMatchObject([['sent'], { failures: 0 }]);
  });

  it('that never answers is waited for no longer than an attempt may take, and tried later', async () => {
    server.answer = (_, nth) => (nth === 1 ? null : { status: 201 });
    await notify();
    start();
    await eventually(async () => (await state())?.failures === 1);
    expect((await state())?.waits_ms).toBeGreaterThan(3_000);
    await dueNow();
    await eventually(isSettled);
    expect([texts(), await rows()]).toEqual([['hello @ben', 'hello @ben'], ['sent']]);
  });

  it('that is away is tried again, in growing steps, until it is back: nothing is lost, nothing given up (G1)', async () => {
    const { port } = server;
    await server.close();
    for (let n = 0; n < 8; n += 1) await notify(`number ${n}`);
    start();
    const waits: number[] = [];
    for (let failures = 1; failures <= 4; failures += 1) {
      await eventually(async () => (await state())?.failures === failures, 10_000);
      waits.push(Math.round(((await state())?.waits_ms ?? 0) / 1_000));
      if (failures < 4) await dueNow();
    }
    expect(waits).toEqual([5, 30, 120, 600].map((seconds) => expect.closeTo(seconds, -1)));
    expect(await rows()).toEqual(Array.from({ length: 8 }, () => 'pending'));
    server = await PushServer.listen(port);
    await dueNow();
    await eventually(isSettled);
    expect([texts(), errors]).toEqual([Array.from({ length: 8 }, (_, n) => `number ${n}`), []]);
  });

  it('of which every attempt has failed for five days is forgotten', async () => {
    server.answer = () => ({ status: 500 });
    await sql`UPDATE push_subscriptions SET failures = 20, failing_since = now() - interval '5 days'`;
    await notify();
    start();
    await eventually(() => ended.length === 1);
    expect([ended, await state()]).toEqual([['failing'], undefined]);
  });

  it('that is away for long has the newest 50 of what waits, and nothing older than a day (G8)', async () => {
    for (let n = 0; n < 53; n += 1) await notify(`number ${n}`);
    await sql`UPDATE pushes SET created_at = now() - interval '25 hours' WHERE notice_seq = 10`;
    start();
    await eventually(isSettled, 20_000);
    expect(texts()).toEqual(Array.from({ length: 50 }, (_, n) => `number ${n + 3}`).filter((text) => text !== 'number 9'));
  });

  it('that is not public is never asked, and holds up nobody', async () => {
    await sql`UPDATE push_subscriptions SET endpoint = 'http://10.0.0.1/push' WHERE id = ${to.id}`;
    await notify();
    start();
    await eventually(isSettled);
    expect([await rows(), outcomes]).toEqual([['dropped'], ['refused']]);
  });
});

describe('many processes', () => {
  it('send each push once, and one that ends is through with what it has begun (G2)', async () => {
    const people = await Promise.all(Array.from({ length: 12 }, () => insertPerson(sql)));
    const browsers = await Promise.all(people.map((person) => insertSubscription(sql, person, server.origin)));
    const messageId = await room.send(ann.id, 'to all');
    for (const { id } of people) {
      await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${room.id}, ${id}, 1)`;
      for (let n = 1; n <= 3; n += 1) await insertNotice(sql, { userId: id, seq: n, authorId: ann.id, channelId: room.id, messageId, pos: 1 });
    }
    const [first] = [start(), start(), start()];
    await eventually(() => server.received.length > 0);
    await first?.drain();
    await eventually(isSettled, 15_000);
    for (const { path } of browsers) expect(server.received.filter((push) => push.path === path)).toHaveLength(3);
    expect(outcomes).toHaveLength(36);
  });

  it('lose no notice that is noted while another says that nothing waits', async () => {
    await notify();
    const [claimed] = await claimSubscriptions(sql, { lease: LEASE, leaseMs: 60_000, most: 1 });
    await sql`UPDATE pushes SET status = 'sent'`;
    const released: Promise<number>[] = [];
    await sql.begin(async (tx) => {
      const messageId = await room.send(ann.id, 'meanwhile');
      await tx`
        INSERT INTO notifications (user_id, seq, id, reason, channel_id, message_id, author_id, quiet, created_at)
        VALUES (${ben.id}, 9, ${LEASE}, 'mention', ${room.id}, ${messageId}, ${ann.id}, false, now())`;
      await notePushes(tx, [{ id: LEASE, user_id: ben.id, seq: 9, at: new Date().toISOString() }], 0);
      released.push(sql.begin((other) => releaseSubscription(other, claimed?.id ?? '', { lease: LEASE, failures: 0, afterMs: 0 })));
      await new Promise((resolve) => {
        setTimeout(resolve, 200);
      });
    });
    await Promise.all(released);
    expect(await readOldestDuePush(sql)).not.toBeNull();
    start();
    await eventually(isSettled);
    expect(texts()).toEqual(['meanwhile']);
  });
});

it('what was noted long ago is purged, and browsers whose session has ended', async () => {
  await notify();
  await insertSubscription(sql, ann, server.origin);
  await sql`UPDATE credentials SET revoked_at = now() WHERE id = ${ann.credentialId}`;
  expect(await purgePushes(sql, new Date(Date.now() - 60_000), 10)).toBe(false);
  expect([(await rows()).length, (await sql`SELECT FROM push_subscriptions`).length]).toEqual([1, 1]);
  await purgePushes(sql, new Date(Date.now() + 60_000), 10);
  expect(await rows()).toEqual([]);
});
