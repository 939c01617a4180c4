import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { claimSubscriptions, notePushes, purgePushes, readOldestDuePush, releaseSubscription } from '../../db/queries/push-sending.ts';
import { eventually } from '../../tests/support/event-log.ts';
import type { Person } from '../../tests/support/notified-bed.ts';
import { insertNotice, insertPerson, insertSubscription, verifiedVapid, type TestSubscription } from '../../tests/support/push-bed.ts';
import { PushServiceBed } from '../../tests/support/push-service-bed.ts';
import type { StoredRoom } from '../../tests/support/stored-room.ts';

const LEASE = '00000000-0000-4000-8000-000000000001';

let bed: PushServiceBed;
let sql: Sql;
let ann: Person;
let ben: Person;
let room: StoredRoom;
let to: TestSubscription;

beforeEach(async () => {
  bed = await PushServiceBed.open();
  ({ sql, ann, ben, room } = bed.people);
  ({ to } = bed);
});
afterEach(() => bed.close());

describe('a push', () => {
  it('is encrypted for its browser, says who sends it, and shows what the list of notifications shows', async () => {
    const { notice, messageId } = await bed.notify('hello @ben, "größer" 👋');
    bed.start();
    await eventually(bed.isSettled);
    const [push] = bed.server.received;
    if (push === undefined) throw new Error('nothing came');
    expect(to.browser.decrypt(push.body)).toMatchObject({
      id: notice, reason: 'mention', channel_id: room.id, channel_name: 'engine', message_id: messageId, thread_id: null, author: 'Ann Lee', text: 'hello @ben, "größer" 👋',
    });
    const { key, claims } = await verifiedVapid(push);
    expect([key, claims.aud, claims.sub]).toEqual([bed.vapid.publicKey, bed.server.origin, bed.vapid.subject]);
    expect((claims.exp ?? Infinity) - Date.now() / 1_000).toBeLessThanOrEqual(86_400);
    const topic = Buffer.from(notice.replaceAll('-', ''), 'hex').toString('base64url');
    expect(push).toMatchObject({ path: to.path, headers: { 'content-encoding': 'aes128gcm', topic, urgency: 'high', 'content-length': String(push.body.length) } });
    expect(Number(push.headers['ttl'])).toBeGreaterThan(86_000);
    expect([bed.server.received.length, await bed.rows(), bed.outcomes, await bed.state()]).toMatchObject([1, ['sent'], ['sent'], { failures: 0, waits_ms: null, is_leased: false }]);
  });

  it('of the longest text, in characters that JSON makes longest, is no larger than a push may be', async () => {
    await sql`UPDATE users SET display_name = ${'\u0001'.repeat(80)} WHERE id = ${ann.id}`;
    await bed.notify('\u0001'.repeat(10_000));
    await bed.notify(`${'x'.repeat(298)}👋👋`);
    bed.start();
    await eventually(bed.isSettled);
    expect(bed.server.received.map(({ body }) => body.length <= 4_096)).toEqual([true, true]);
    expect(bed.texts()[1]).toBe(`${'x'.repeat(298)}…`);
  });

  it('is noted once, however often its notice is told, and not of a notice that is no news (G2)', async () => {
    const { notice } = await bed.notify();
    await bed.notify('of last week', { at: new Date(Date.now() - 7 * 86_400_000) });
    bed.start();
    await eventually(bed.isSettled);
    for (let times = 0; times < 3; times += 1) await notePushes(sql, [{ id: notice, user_id: ben.id, seq: 1, at: new Date().toISOString() }]);
    await eventually(async () => (await bed.state())?.waits_ms === null);
    expect([bed.server.received.length, await bed.rows()]).toEqual([1, ['sent']]);
  });

  it('waits a moment, in which its notice may be read', async () => {
    const messageId = await room.send(ann.id, 'hello @ben');
    const notice = '00000000-0000-7000-8000-000000000009';
    await sql`
      INSERT INTO notifications (user_id, seq, id, reason, channel_id, message_id, author_id, pos, quiet, created_at)
      VALUES (${ben.id}, 9, ${notice}, 'mention', ${room.id}, ${messageId}, ${ann.id}, ${room.pos}, false, now())`;
    await notePushes(sql, [{ id: notice, user_id: ben.id, seq: 9, at: new Date().toISOString() }]);
    const [moment] = await sql<{ seconds: number }[]>`SELECT extract(epoch FROM s.due_at - p.created_at)::float8 AS seconds FROM pushes p JOIN push_subscriptions s ON s.id = p.subscription_id`;
    expect(moment?.seconds).toBeGreaterThan(2);
    // Longer than this test may take on a busy machine.
    await sql`UPDATE push_subscriptions SET due_at = now() + interval '1 minute'`;
    const others = await insertSubscription(sql, ann, bed.server.origin);
    await bed.notify('of another', { userId: ann.id });
    bed.start();
    await eventually(() => bed.server.received.length > 0);
    await sql`UPDATE inbox_logs SET notices_read_seq = 9 WHERE user_id = ${ben.id}`;
    await bed.dueNow();
    await eventually(bed.isSettled, 10_000);
    const [push] = await sql<{ status: string }[]>`SELECT p.status FROM pushes p WHERE p.notice_id = ${notice}`;
    expect([bed.server.received.map(({ path }) => path), push?.status]).toEqual([[others.path], 'dropped']);
  });

  it('comes to every browser of its user, in the order of notices, and to nobody else\'s (G5)', async () => {
    const [second, other] = [await insertSubscription(sql, ben, bed.server.origin), await insertSubscription(sql, ann, bed.server.origin)];
    for (let n = 0; n < 25; n += 1) await bed.notify(`number ${n}`);
    for (let n = 0; n < 3; n += 1) bed.start();
    await eventually(async () => (await bed.rows()).length === 50 && (await bed.isSettled()), 20_000);
    const numbers = Array.from({ length: 25 }, (_, n) => `number ${n}`);
    for (const { path, browser } of [to, second]) expect(bed.server.received.filter((push) => push.path === path).map(({ body }) => browser.decrypt(body).text)).toEqual(numbers);
    expect(bed.server.received.filter(({ path }) => path === other.path)).toEqual([]);
  });
});

describe('many processes', () => {
  it('send each push once, and one that ends is through with what it has begun (G2)', async () => {
    const people = await Promise.all(Array.from({ length: 12 }, () => insertPerson(sql)));
    const browsers = await Promise.all(people.map((person) => insertSubscription(sql, person, bed.server.origin)));
    const messageId = await room.send(ann.id, 'to all');
    for (const { id } of people) {
      await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${room.id}, ${id}, 1)`;
      for (let n = 1; n <= 3; n += 1) await insertNotice(sql, { userId: id, seq: n, authorId: ann.id, channelId: room.id, messageId, pos: 1 });
    }
    const [first] = [bed.start(), bed.start(), bed.start()];
    await eventually(() => bed.server.received.length > 0);
    await first?.drain();
    await eventually(bed.isSettled, 15_000);
    for (const { path } of browsers) expect(bed.server.received.filter((push) => push.path === path)).toHaveLength(3);
    expect(bed.outcomes).toHaveLength(36);
  });

  it('lose no notice that is noted while another says that nothing waits', async () => {
    await bed.notify();
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
    bed.start();
    await eventually(bed.isSettled);
    expect(bed.texts()).toEqual(['meanwhile']);
  });
});

it('what was noted long ago is purged, and browsers whose session has ended', async () => {
  await bed.notify();
  await insertSubscription(sql, ann, bed.server.origin);
  await sql`UPDATE credentials SET revoked_at = now() WHERE id = ${ann.credentialId}`;
  expect(await purgePushes(sql, new Date(Date.now() - 60_000), 10)).toBe(false);
  expect([(await bed.rows()).length, (await sql`SELECT FROM push_subscriptions`).length]).toEqual([1, 1]);
  await purgePushes(sql, new Date(Date.now() + 60_000), 10);
  expect(await bed.rows()).toEqual([]);
});
