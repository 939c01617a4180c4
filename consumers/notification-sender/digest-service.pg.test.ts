import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { noteDigests, readOldestDueDigest, releaseDigest } from '../../db/queries/email-sending.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { MailServer } from '../../tests/support/mail-bed.ts';
import { NotifiedBed } from '../../tests/support/notified-bed.ts';
import type { NoticeWishes } from '../../tests/support/push-bed.ts';
import type { StoredRoom } from '../../tests/support/stored-room.ts';
import type { Service } from '../runtime/service.ts';
import { createDigestService } from './digest-service.ts';
import { smtpSender, unsubscribeToken } from './smtp.ts';

const SECRET = 'a secret of at least 32 characters';
const MINUTE = 60_000;

let bed: NotifiedBed;
let sql: Sql;
let server: MailServer;
let services: Service[];
let outcomes: string[];
let errors: unknown[];
let ann: string;
let ben: string;
let room: StoredRoom;
let ahead: number;

beforeEach(async () => {
  bed = await NotifiedBed.open();
  ({ sql, room } = bed);
  server = await MailServer.listen();
  [services, outcomes, errors, ahead] = [[], [], [], 0];
  [ann, ben] = [bed.ann.id, bed.ben.id];
  await sql`UPDATE users SET display_name = 'Ann Łee' WHERE id = ${ann}`;
  await sql`INSERT INTO email_digests (user_id, address, mode, version) VALUES (${ben}, 'ben@example.com', 'after', 1)`;
});
afterEach(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await server.close();
  await bed.close();
});

function start(): Service {
  const service = createDigestService({
    sql,
    sender: smtpSender({ url: server.url, from: 'Colink <no-reply@chat.example>', baseUrl: 'https://chat.example', plain: true, secret: SECRET }),
    now: () => Date.now() + ahead,
    random: () => 0,
    onSettled: (outcome) => outcomes.push(outcome),
    onError: (error) => errors.push(error),
  });
  services.push(service);
  void service.run();
  return service;
}

/** Ben is notified of a message of Ann's. `minutesAgo`: so long ago. */
async function notify(text = 'hello @ben', minutesAgo = 20, wishes: Partial<NoticeWishes> = {}): Promise<string> {
  const { messageId } = await bed.notify(text, { at: new Date(Date.now() - minutesAgo * MINUTE), ...wishes });
  await noteDigests(sql, [ben]);
  return messageId;
}
const row = async () => (await sql<{ mailed_seq: number; waits_min: number | null; is_leased: boolean; digest_id: string | null; failures: number }[]>`
  SELECT e.mailed_seq::float8 AS mailed_seq, (extract(epoch FROM e.due_at - now()) / 60)::float8 AS waits_min, e.lease IS NOT NULL AS is_leased, e.digest_id, e.failures FROM email_digests e`)[0];
/** Nothing is to be looked at before a minute is over. */
const settled = (): Promise<void> => eventually(async () => {
  const state = await row();
  return state !== undefined && !state.is_leased && (state.waits_min === null || state.waits_min > 0.2);
}, 10_000);
const dueNow = () => sql`UPDATE email_digests SET due_at = now() WHERE due_at IS NOT NULL AND lease IS NULL`;

describe('a digest', () => {
  it('has all that is unread, with links, who it is from and how to have no more, and is sent once', async () => {
    await notify('one "größer"');
    await notify('two');
    start();
    await settled();
    const [mail] = server.received;
    expect(mail).toMatchObject({ from: 'no-reply@chat.example', to: ['ben@example.com'] });
    const unsubscribeUrl = `https://chat.example/unsubscribe/${unsubscribeToken(SECRET, ben)}`;
    expect(Object.fromEntries(mail?.headers ?? [])).toMatchObject({
      'from': 'Colink <no-reply@chat.example>', 'to': 'ben@example.com', 'subject': '2 unread notifications on Colink', 'list-unsubscribe': `<${unsubscribeUrl}>`,
      'list-unsubscribe-post': 'List-Unsubscribe=One-Click', 'auto-submitted': 'auto-generated', 'message-id': expect.stringMatching(/^<[0-9a-f-]{36}@chat\.example>$/),
    });
    expect(mail?.text).toContain('Ann Łee mentioned you in #engine\n  one "größer"\nhttps://chat.example/channels/');
    expect(mail?.html).toContain('one &quot;größer&quot;');
    expect(mail?.text).toContain(unsubscribeUrl);
    await dueNow();
    await noteDigests(sql, [ben]);
    await settled();
    expect([server.received.length, outcomes, await row()]).toMatchObject([1, ['sent'], { mailed_seq: 2, waits_min: null, digest_id: null }]);
  });

  it('waits until something has been unread for as long as its user has chosen, and comes at most once in that time', async () => {
    await notify('one', 5);
    start();
    await settled();
    expect([server.received.length, Math.round((await row())?.waits_min ?? 0)]).toEqual([0, 10]);
    ahead = 11 * MINUTE;
    await dueNow();
    await settled();
    expect(server.received.length).toBe(1);
    await notify('two', 20);
    await settled();
    expect([server.received.length, Math.round((await row())?.waits_min ?? 0)]).toEqual([1, 15]);
    ahead = 16 * MINUTE;
    await dueNow();
    await settled();
    expect(server.received.map(({ text }) => [text.includes('  one'), text.includes('  two')])).toEqual([[true, false], [false, true]]);
  });

  it('comes daily at the hour of the user, where they are', async () => {
    await sql`UPDATE users SET time_zone = 'Asia/Kathmandu' WHERE id = ${ben}`;
    await sql`UPDATE email_digests SET mode = 'daily', daily_hour = 8`;
    await notify('one', 0);
    start();
    await settled();
    const [due] = await sql<[{ at: string }]>`SELECT to_char(e.due_at AT TIME ZONE 'Asia/Kathmandu', 'HH24:MI') AS at FROM email_digests e`;
    expect([server.received.length, due.at]).toEqual([0, '08:00']);
    ahead = 25 * 60 * MINUTE;
    await dueNow();
    await settled();
    expect(server.received.length).toBe(1);
  });

  it('also has what came in quiet hours', async () => {
    await notify('at night', 20, { quiet: true });
    start();
    await settled();
    expect(server.received[0]?.text).toContain('at night');
  });
});

describe('nothing is mailed', () => {
  const expectNothing = async (): Promise<void> => {
    start();
    await settled();
    expect([server.received, await row()]).toMatchObject([[], { waits_min: null }]);
  };

  it.each([
    ['that was deleted meanwhile', () => room.delete(room.sent[0] ?? { id: '', author: '', thread: null })],
    ['that was read in its channel', () => sql`INSERT INTO read_states (user_id, channel_id, read_pos, updated_at) VALUES (${ben}, ${room.id}, 1, now())`],
    ['that was read in the list of notifications', () => sql`UPDATE inbox_logs SET notices_read_seq = 1 WHERE user_id = ${ben}`],
    ['of a channel that its reader has left', () => sql`DELETE FROM members WHERE user_id = ${ben}`],
    ['of a channel at the level none', () => sql`INSERT INTO channel_notification_settings (channel_id, user_id, level) VALUES (${room.id}, ${ben}, 'none')`],
    ['to whom nobody vouches for', () => sql`UPDATE email_digests SET address = NULL`],
    ['to whom is deactivated', () => sql`UPDATE users SET deactivated_at = now() WHERE id = ${ben}`],
    ['to who has unsubscribed', () => sql`UPDATE email_digests SET mode = 'off'`],
  ])('%s', async (_, happens) => {
    await notify('a secret');
    await happens();
    await expectNothing();
  });

  it('of what was mailed, or there before mails were wanted', async () => {
    await notify();
    await sql`UPDATE email_digests SET mailed_seq = 1`;
    await expectNothing();
  });

  it('of what was deleted, beside what was not', async () => {
    await notify('a secret');
    await notify('no secret');
    await room.delete(room.sent[0] ?? { id: '', author: '', thread: null });
    start();
    await settled();
    expect(server.received.map(({ text }) => [text.includes('no secret'), text.includes('a secret')])).toEqual([[true, false]]);
  });
});

describe('a mail server', () => {
  it('that is away for a minute, or an hour, gets the digest when it is back: nothing is lost, nothing given up (G1)', async () => {
    const { port } = server;
    await server.close();
    await notify('one');
    start();
    for (let failures = 1; failures <= 3; failures += 1) {
      await eventually(async () => (await row())?.failures === failures, 10_000);
      await notify(`more ${failures}`);
      expect(Math.abs(((await row())?.waits_min ?? 0) - 2 ** (failures - 2))).toBeLessThan(0.2);
      if (failures < 3) await dueNow();
    }
    server = await MailServer.listen(port);
    await dueNow();
    await eventually(() => server.received.length === 1);
    await settled();
    // What came meanwhile is the next digest's.
    expect([server.received[0]?.text.includes('  one'), server.received[0]?.text.includes('  more'), await row(), errors]).toMatchObject([true, false, { mailed_seq: 1, failures: 0 }, []]);
    ahead = 16 * MINUTE;
    await dueNow();
    await settled();
    expect([server.received.length, (await row())?.mailed_seq]).toEqual([2, 4]);
  });

  it.each([['recipient', 450], ['message', 451]] as const)('that puts a %s off (%i) gets the same digest again', async (where, status) => {
    let isFirst = true;
    server.refuse = (at) => {
      if (at !== where || !isFirst) return null;
      isFirst = false;
      return status;
    };
    await notify();
    start();
    await eventually(async () => (await row())?.failures === 1);
    const { digest_id } = (await row()) ?? {};
    await dueNow();
    await settled();
    expect([server.received.at(-1)?.headers.get('message-id'), outcomes]).toEqual([`<${digest_id}@chat.example>`, ['retried', 'sent']]);
  });

  it.each([['recipient', 550], ['message', 554]] as const)('that refuses a %s for good (%i) is not asked again before the next digest', async (where, status) => {
    server.refuse = (at) => (at === where ? status : null);
    await notify();
    start();
    await settled();
    expect([outcomes, await row()]).toMatchObject([['refused'], { mailed_seq: 1, waits_min: null, digest_id: null }]);
  });
});

describe('at least once', () => {
  it('what was sent and not stored is sent again under the same Message-ID, without what was read meanwhile (G2)', async () => {
    await notify('one');
    await notify('two');
    const taken = Promise.withResolvers<void>();
    server.refuse = async (at, nth) => {
      if (at === 'message' && nth === 1) {
        taken.resolve();
        await new Promise(() => {});
      }
      return null;
    };
    const first = start();
    await taken.promise;
    await first.stop();
    expect(await row()).toMatchObject({ is_leased: true, mailed_seq: 0 });
    await sql`UPDATE inbox_logs SET notices_read_seq = 1 WHERE user_id = ${ben}`;
    // As if the lease were over.
    await sql`UPDATE email_digests SET due_at = now()`;
    start();
    await settled();
    const [once, again] = server.received;
    expect([server.received.length, once?.headers.get('message-id') === again?.headers.get('message-id'), again?.text.includes('  one'), again?.text.includes('  two')]).toEqual([2, true, false, true]);
  });

  it('many processes send a digest once', async () => {
    await notify();
    for (let n = 0; n < 4; n += 1) start();
    await settled();
    expect([server.received.length, outcomes]).toEqual([1, ['sent']]);
  });

  it('a notice that is noted while another says that nothing is unread is looked at (G1)', async () => {
    const lease = uuidv7();
    await sql`UPDATE email_digests SET lease = ${lease}, due_at = now() + interval '1 hour'`;
    const released: Promise<void>[] = [];
    await sql.begin(async (tx) => {
      const messageId = await room.send(ann, 'meanwhile');
      await tx`
        INSERT INTO notifications (user_id, seq, id, reason, channel_id, message_id, author_id, quiet, created_at)
        VALUES (${ben}, 9, ${lease}, 'mention', ${room.id}, ${messageId}, ${ann}, false, now())`;
      await noteDigests(tx, [ben]);
      released.push(sql.begin((other) => releaseDigest(other, ben, lease, { kind: 'idle', seenSeq: 0 })));
      await new Promise((resolve) => {
        setTimeout(resolve, 200);
      });
    });
    await Promise.all(released);
    expect(await readOldestDueDigest(sql)).not.toBeNull();
  });
});
