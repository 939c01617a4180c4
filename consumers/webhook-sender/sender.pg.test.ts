import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import { insertDeliveries } from '../../db/queries/webhook-intake.ts';
import { purgeWebhooks, readOldestDue } from '../../db/queries/webhook-sending.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { idOf, insertChannel, insertUser, insertWebhook, readDeliveries, readState, Receiver, type TestWebhook, verified } from '../../tests/support/webhook-bed.ts';
import type { Service } from '../runtime/service.ts';
import { post } from './post.ts';
import { createSender, type SendOutcome } from './sender.ts';

const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000];

let database: TestDatabase;
let sql: Sql;
let receiver: Receiver;
let services: Service[];
let owner: string;
let channel: string;
/** Milliseconds by which the sender's clock is ahead; it stands still while `frozen` is set. */
let ahead: number;
let frozen: number | null;
let outcomes: SendOutcome[];
let disabled: string[];

beforeEach(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
  receiver = await Receiver.listen();
  [services, ahead, frozen, outcomes, disabled] = [[], 0, null, [], []];
  owner = await insertUser(sql);
  channel = await insertChannel(sql, [owner]);
});

afterEach(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await receiver.close();
  await database.drop();
});

const clock = (): Date => new Date(frozen ?? Date.now() + ahead);

function start(timeoutMs = 15_000): Service {
  const options = { resolve: () => Promise.reject(new Error('nothing is resolved here')), loopback: true, timeoutMs, now: Date.now };
  const service = createSender({
    sql,
    post: (message, signal) => post(message, options, signal),
    now: clock,
    random: () => 0,
    onSettled: (outcome) => outcomes.push(outcome),
    onDisabled: ({ webhook_id }, reason) => disabled.push(`${webhook_id} ${reason}`),
    onError: () => {},
  });
  services.push(service);
  void service.run();
  return service;
}

/** Notes so many events for all webhooks. Returns their ids. */
async function note(count: number, { subjectId = null, type = 'message.created' }: { subjectId?: string | null; type?: string } = {}): Promise<string[]> {
  const events = Array.from({ length: count }, (_, n) => ({ id: uuidv7(), type, channel_id: channel, subject_id: subjectId, at: new Date().toISOString(), data: { n, text: 'grüß dich 👋' } }));
  await insertDeliveries(sql, events, clock(), 0);
  return events.map(({ id }) => id);
}

const newWebhook = (path = '/'): Promise<TestWebhook> => insertWebhook(sql, owner, receiver.url(path));
const statuses = async ({ id }: TestWebhook): Promise<string[]> => (await readDeliveries(sql, id)).map(({ status }) => status);
const settled = (webhook: TestWebhook, ms = 10_000): Promise<void> => eventually(async () => !(await statuses(webhook)).includes('pending'), ms);
const only = async ({ id }: TestWebhook) => {
  const [row] = await readDeliveries(sql, id);
  if (row === undefined) throw new Error('there is no delivery');
  return row;
};
const pauseFor = (ms: number): Promise<void> => new Promise((resolve) => {
  setTimeout(resolve, ms);
});

describe('a delivery', () => {
  it('is the event, signed so that the official library knows it, once', async () => {
    const webhook = await newWebhook('/in');
    const [id] = await note(1);
    start();
    await settled(webhook);
    const [received, ...more] = receiver.received;
    if (received === undefined) throw new Error('nothing came');
    expect([more, received.path, idOf(received)]).toEqual([[], '/in', id]);
    expect(verified(webhook.secret, received)).toMatchObject({ type: 'message.created', data: { n: 0, text: 'grüß dich 👋' } });
    expect(await only(webhook)).toMatchObject({ status: 'delivered', attempts: 1, last_status: 204, failure: null });
  });

  it('is signed with both secrets for a day after a rotation, then with the new one', async () => {
    const webhook = await newWebhook();
    const former = webhook.secret;
    const secret = Buffer.alloc(32, 7);
    await sql`UPDATE webhooks SET previous_secret = secret, previous_secret_until = now() + interval '24 hours', secret = ${secret}`;
    await note(1);
    start();
    await settled(webhook);
    await sql`UPDATE webhooks SET previous_secret_until = now()`;
    await note(1);
    await settled(webhook);
    const [during, after] = receiver.received;
    if (during === undefined || after === undefined) throw new Error('not both came');
    expect([verified(former, during).type, verified(secret, during).type, verified(secret, after).type]).toEqual(['message.created', 'message.created', 'message.created']);
    expect(() => verified(former, after)).toThrow('No matching signature found');
  });

  it('is tried by the table, under one id, and then given up', async () => {
    const webhook = await newWebhook();
    frozen = Date.now();
    const [id] = await note(1);
    receiver.answer = () => ({ status: 500 });
    start();
    const waits: number[] = [];
    for (let attempt = 1; attempt < 10; attempt += 1) {
      await eventually(async () => (await only(webhook)).attempts === attempt);
      const { next_at } = await only(webhook);
      waits.push(Math.round((next_at - frozen) / SECOND));
      frozen = next_at - 1;
      await pauseFor(150);
      expect(receiver.received).toHaveLength(attempt);
      frozen = next_at;
    }
    await settled(webhook);
    expect(waits).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    expect(await only(webhook)).toMatchObject({ status: 'failed', attempts: 10, last_status: 500, failure: 'status' });
    expect(receiver.received.map(idOf)).toEqual(Array.from({ length: 10 }, () => id));
    expect(receiver.received.map(({ headers }) => Number(headers['webhook-timestamp']) - Math.floor((frozen ?? 0) / SECOND)).at(-1)).toBe(0);
    expect((await readState(sql, webhook.id)).state).toBe('enabled');
  });

  it('to an endpoint that says it is gone is the last: the webhook is disabled, what waits is cancelled', async () => {
    const webhook = await newWebhook();
    receiver.answer = () => ({ status: 410 });
    await note(30);
    start();
    await settled(webhook);
    expect(disabled).toEqual([`${webhook.id} gone`]);
    expect(await readState(sql, webhook.id)).toMatchObject({ state: 'disabled', disabled_reason: 'gone' });
    const all = await statuses(webhook);
    expect(all.filter((status) => status === 'failed').length).toBeLessThanOrEqual(8);
    expect(new Set(all)).toEqual(new Set(['failed', 'cancelled']));
    expect(receiver.received.length).toBeLessThanOrEqual(8);
  });

  it.each([429, 503])('that is answered %i waits as long as the endpoint asks, and so do the others of the webhook', async (status) => {
    const webhook = await newWebhook();
    frozen = Date.now();
    receiver.answer = (_, nth) => (nth === 1 ? { status, headers: { 'retry-after': '600' } } : { status: 204 });
    await note(1);
    start();
    await eventually(async () => (await only(webhook)).attempts === 1);
    expect((await only(webhook)).next_at - frozen).toBe(10 * MINUTE);
    await note(3);
    frozen += 10 * MINUTE - SECOND;
    await pauseFor(300);
    expect(receiver.received).toHaveLength(1);
    frozen += SECOND;
    await settled(webhook);
    expect(receiver.received).toHaveLength(5);
  });

  it('that fails when all have failed for five days disables the webhook', async () => {
    const webhook = await newWebhook();
    frozen = Date.now();
    receiver.answer = () => ({ status: 500 });
    await sql`UPDATE webhooks SET failures = 40, failing_since = ${new Date(frozen - 120 * HOUR).toISOString()}::timestamptz`;
    await note(2);
    start();
    await settled(webhook);
    expect([receiver.received.length, disabled]).toEqual([1, [`${webhook.id} failing`]]);
    expect([await readState(sql, webhook.id), await statuses(webhook)]).toMatchObject([{ state: 'disabled', disabled_reason: 'failing' }, ['cancelled', 'cancelled']]);
  });

  it('that succeeds forgets that others failed', async () => {
    const webhook = await newWebhook();
    await sql`UPDATE webhooks SET failures = 40, failing_since = now() - interval '4 days', blocked_until = now()`;
    await note(20);
    start();
    await settled(webhook);
    expect([await readState(sql, webhook.id), receiver.received.length]).toMatchObject([{ state: 'enabled', failures: 0 }, 20]);
  });

  it.each<[string, string, (subjectId: string) => Promise<unknown>]>([
    ['who left the channel', 'not_a_member', () => sql`DELETE FROM members WHERE user_id = ${owner}`],
    ['who was deactivated', 'owner_deactivated', () => sql`UPDATE users SET deactivated_at = now() WHERE id = ${owner}`],
    ['of a message that was deleted', 'deleted', (id) => sql`UPDATE messages SET deleted_at = now(), text = '' WHERE id = ${id}`],
  ])('for an owner %s is not sent (G5)', async (_, failure, happen) => {
    const webhook = await newWebhook();
    const subjectId = uuidv7();
    await sql`
      INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at) VALUES (${subjectId}, ${channel}, 1, 1, ${owner}, 'x', 'secret', now())`;
    await note(12, { subjectId });
    await happen(subjectId);
    const [deletion] = await note(1, { subjectId, type: 'message.deleted' });
    start();
    await settled(webhook);
    const rows = await readDeliveries(sql, webhook.id);
    // Of a message that is gone its deletion goes out; whoever is no member is not noted for it in the first place.
    expect(receiver.received.map(idOf)).toEqual(failure === 'deleted' ? [deletion] : []);
    expect(rows.filter(({ event_id }) => event_id !== deletion).map(({ status, attempts, failure }) => [status, attempts, failure])).toEqual(Array.from({ length: 12 }, () => ['cancelled', 0, failure]));
  });

  it.each([['created', 'an edit'], ['edited', 'another edit']])('of message.%s says what the message says when it is sent, after %s, and keeps no text', async (change) => {
    const webhook = await newWebhook();
    const [first, write] = [uuidv7(), async (text: string) => sql`UPDATE messages SET text = ${text}, edited_at = now() WHERE id = ${first}`];
    await sql`INSERT INTO messages (id, channel_id, seq, pos, author_id, client_msg_id, text, created_at) VALUES (${first}, ${channel}, 1, 1, ${owner}, 'x', 'what nobody should read', now())`;
    const event = { id: uuidv7(), type: `message.${change}`, channel_id: channel, subject_id: first, at: new Date().toISOString(), data: { message_id: first, text: '' } };
    await insertDeliveries(sql, [event], clock(), 0);
    await write('grüß "dich" 👋');
    start();
    await settled(webhook);
    // A replay of it, as the API asks for one.
    await write('at last');
    await sql`UPDATE webhook_deliveries SET status = 'pending', attempts = 0, settled_at = NULL, next_at = now()`;
    await eventually(() => receiver.received.length === 2);
    await settled(webhook);
    expect(receiver.received.map((received) => verified(webhook.secret, received).data['text'])).toEqual(['grüß "dich" 👋', 'at last']);
    await sql`UPDATE messages SET deleted_at = now(), text = '' WHERE id = ${first}`;
    await sql`UPDATE webhook_deliveries SET status = 'pending', attempts = 0, settled_at = NULL, next_at = now()`;
    await settled(webhook);
    expect([receiver.received.length, await only(webhook)]).toMatchObject([2, { status: 'cancelled', failure: 'deleted' }]);
    expect(await sql`SELECT data FROM webhook_events`).toEqual([{ data: { message_id: first, text: '' } }]);
  });

  it('of a message that Postgres does not have is not sent', async () => {
    const webhook = await newWebhook();
    await note(1, { subjectId: uuidv7() });
    start();
    await settled(webhook);
    expect([receiver.received, await only(webhook)]).toMatchObject([[], { status: 'cancelled', failure: 'deleted' }]);
  });

  it('under way while the webhook is disabled is told as it ended', async () => {
    const [webhook, other] = [await newWebhook('/ok'), await newWebhook('/bad')];
    let mayAnswer = (): void => {};
    const isDisabled = new Promise<void>((resolve) => {
      mayAnswer = resolve;
    });
    receiver.answer = async ({ path }) => {
      await isDisabled;
      return { status: path === '/ok' ? 200 : 500 };
    };
    await note(1);
    start();
    await eventually(() => receiver.received.length === 2);
    await sql`UPDATE webhooks SET state = 'disabled', disabled_reason = 'owner'`;
    await sql`UPDATE webhook_deliveries SET status = 'cancelled', failure = 'disabled', settled_at = now()`;
    mayAnswer();
    await eventually(() => outcomes.length === 2);
    expect([await only(webhook), await only(other)]).toMatchObject([{ status: 'delivered', failure: null }, { status: 'cancelled', failure: 'disabled' }]);
  });
});

describe('endpoints that are down or slow', () => {
  it('10,000 events for a dead one cost few attempts, and delay no other webhook (G8)', async () => {
    const dead = await insertWebhook(sql, owner, 'http://127.0.0.1:1/');
    for (let batch = 0; batch < 20; batch += 1) await note(500);
    const alive = await insertWebhook(sql, await insertMember(), receiver.url());
    start();
    await eventually(() => outcomes.includes('retried'));
    const sentAt = performance.now();
    await note(100);
    await settled(alive, 20_000);
    expect(performance.now() - sentAt).toBeLessThan(20_000);
    expect(new Set(receiver.received.map(idOf)).size).toBe(100);
    await pauseFor(1_500);
    const [row] = await sql<[{ attempts: number; waiting: number }]>`
      SELECT sum(d.attempts)::integer AS attempts, count(*) FILTER (WHERE d.status = 'pending')::integer AS waiting FROM webhook_deliveries d WHERE d.webhook_id = ${dead.id}`;
    expect(row.waiting).toBe(10_100);
    expect(row.attempts).toBeLessThanOrEqual(16);
    // What has just come due is soon under way.
    await eventually(async () => (await readOldestDue(sql, new Date())) === null);
  });

  it('one that never answers holds eight connections, and no other webhook', async () => {
    const slow = await Receiver.listen();
    try {
      slow.answer = () => null;
      await insertWebhook(sql, owner, slow.url('/a'));
      await insertWebhook(sql, await insertMember(), slow.url('/b'));
      await note(40);
      const alive = await insertWebhook(sql, await insertMember(), receiver.url());
      start(25_000);
      await eventually(() => slow.received.length === 8);
      await note(50);
      await settled(alive, 15_000);
      expect([slow.mostOpen, new Set(receiver.received.map(idOf)).size]).toEqual([8, 50]);
    } finally {
      await slow.close();
    }
  });

  it('one that was down for a minute gets everything, nothing is given up, and no dead letter is made', async () => {
    const webhook = await newWebhook();
    const { port } = receiver;
    await receiver.close();
    start();
    const ids = await note(20);
    await eventually(async () => (await readState(sql, webhook.id)).failures >= 5);
    ahead = 60 * SECOND;
    receiver = await Receiver.listen(port);
    await pauseFor(300);
    ahead = 20 * MINUTE;
    await settled(webhook);
    expect(receiver.received.map(idOf).toSorted()).toEqual(ids.toSorted());
    const [letters] = await sql<[{ n: number }]>`SELECT count(*)::integer AS n FROM dead_letters`;
    expect(letters.n).toBe(0);
  });

  it('a failing one is tried with one delivery at a time', async () => {
    const webhook = await newWebhook();
    frozen = Date.now();
    receiver.answer = () => ({ status: 500 });
    await sql`UPDATE webhooks SET failures = 5, failing_since = now()`;
    await note(30);
    start();
    start();
    for (let probe = 1; probe <= 3; probe += 1) {
      await eventually(() => outcomes.length === probe);
      await pauseFor(200);
      expect(receiver.received).toHaveLength(probe);
      frozen += 30 * SECOND;
    }
    expect(await readState(sql, webhook.id)).toMatchObject({ failures: 8 });
  });
});

async function insertMember(): Promise<string> {
  const id = await insertUser(sql);
  await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${channel}, ${id}, 9)`;
  return id;
}

it('what is old is forgotten, and a deleted webhook with its deliveries; the rest stays', async () => {
  const [kept, gone] = [await newWebhook(), await newWebhook()];
  const [old] = await note(1);
  await sql`UPDATE webhook_deliveries SET created_at = now() - interval '31 days'`;
  await sql`UPDATE webhook_events SET created_at = now() - interval '36 days'`;
  const [young] = await note(1);
  await sql`UPDATE webhooks SET state = 'disabled', disabled_reason = 'deleted', deleted_at = now() - interval '1 hour' WHERE id = ${gone.id}`;
  while (await purgeWebhooks(sql, new Date(Date.now() - 30 * 24 * HOUR), 1));
  expect(await sql`SELECT w.id::text AS id FROM webhooks w`).toEqual([{ id: kept.id }]);
  expect((await readDeliveries(sql, kept.id)).map(({ event_id }) => event_id)).toEqual([young]);
  expect(await sql`SELECT e.id::text AS id FROM webhook_events e`).toEqual([{ id: young }]);
  expect(old).not.toBe(young);
});
