import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { testDatabase, type TestDatabase } from '../../tests/support/postgres.ts';
import type { Sql } from '../client.ts';
import { drainBatch, skipPoison } from './drain.ts';
import { poisonedSeqs, storedEvents } from './resume.ts';
import { channelMembers, channelMessages, channelPins, channelPreviews, channelReactions, claimLog, findLogPlace, findMembership, keepForkedEvents, moveLog } from './room-bootstrap.ts';

let database: TestDatabase;
let sql: Sql;
let channel: string;
const user = randomUUID();

beforeAll(async () => {
  database = await testDatabase();
  ({ sql } = database.connection);
  await sql`SELECT premake_partitions(0, 1)`;
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${user}, 'test', 'u', 'u', 'U')`;
});
afterAll(() => database.drop());

beforeEach(async () => {
  channel = randomUUID();
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${channel}, 'private', ${channel}, ${user})`;
  await sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${channel}, ${user}, 'owner', 3)`;
});

/** A UUIDv7 of now, for messages are partitioned by it. */
const messageId = (): string => `${Date.now().toString(16).padStart(12, '0').replace(/(.{8})/, '$1-')}-7000-8000-${randomUUID().slice(-12)}`;
const base = (seq: number) => ({ seq, id: randomUUID(), at: new Date().toISOString(), actor_id: user });
const created = (seq: number, place: { pos: number | null; thread_id: string | null; tpos: number | null }) => ({
  ...base(seq), type: 'message.created', message_id: messageId(), client_msg_id: `c${seq}`, text: `text ${seq}`, origin: null, ...place,
});

/** Three messages, of which one is a reply and one edited, and a reaction. */
async function drainSome(epoch: number, fence: number): Promise<string> {
  const root = created(1, { pos: 1, thread_id: null, tpos: null });
  const second = created(2, { pos: 2, thread_id: null, tpos: null });
  const events = [
    root,
    second,
    created(3, { pos: null, thread_id: root.message_id, tpos: 1 }),
    { ...base(4), type: 'reaction.added', message_id: root.message_id, emoji: '+1' },
    { ...base(5), type: 'message.edited', message_id: second.message_id, text: 'better', revision: 2 },
  ];
  expect(await drainBatch(sql, { channelId: channel, epoch, fence, eventsJson: JSON.stringify(events) })).toEqual({ status: 'ok', drained_seq: 5 });
  return root.message_id;
}

const claim = () => sql.begin((tx) => claimLog(tx, channel));
async function all<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const rows: T[] = [];
  for await (const page of pages) rows.push(...page);
  return rows;
}

describe('claimLog', () => {
  it('begins a log that was never claimed, also where its row is missing', async () => {
    expect(await claim()).toEqual({ kind: 'private', archived: false, version: 1, epoch: 1, fence: 1, drained_seq: 0, drained_pos: 0 });
  });

  it('moves the epoch on for the next that knows nothing, and fences the one before', async () => {
    await claim();
    await drainSome(1, 2);
    const next = await claim();
    expect(next).toEqual({ kind: 'private', archived: false, version: 1, epoch: expect.any(Number), fence: 3, drained_seq: 5, drained_pos: 2 });
    expect(next?.epoch).toBeGreaterThan(1);
    expect((await drainBatch(sql, { channelId: channel, epoch: 1, fence: 2, eventsJson: '[{"seq":6}]' })).status).toBe('fenced');
  });

  it('gives out no epoch below the minute it begins in, whatever backup was put back, and be it of before the first claim: none comes again (G4)', async () => {
    const [{ minute }] = await sql<[{ minute: number }]>`SELECT floor(extract(epoch FROM now()) / 60)::int AS minute`;
    await claim();
    const epochs = [await claim(), await claim()].map((claimed) => claimed?.epoch ?? 0);
    await sql`UPDATE conversation_logs SET epoch = 1, fence = 1 WHERE channel_id = ${channel}`;
    epochs.push((await claim())?.epoch ?? 0);
    await sql`DELETE FROM conversation_logs WHERE channel_id = ${channel}`;
    await sql`UPDATE channels SET created_at = now() - interval '1 day' WHERE id = ${channel}`;
    epochs.push((await claim())?.epoch ?? 0);
    expect(Math.min(...epochs)).toBeGreaterThanOrEqual(minute);
    expect(epochs[1]).toBe((epochs[0] ?? 0) + 1);
  });

  it('finds no channel that is not there', async () => {
    expect(await sql.begin((tx) => claimLog(tx, randomUUID()))).toBeNull();
  });
});

it('a channel is read whole: members, messages with their threads, reactions', async () => {
  await claim();
  const root = await drainSome(1, 1);
  await sql.begin(async (tx) => {
    expect(await all(channelMembers(tx, channel))).toEqual([{ user_id: user, role: 'owner', version: 3 }]);
    const messages = await all(channelMessages(tx, channel));
    expect(messages).toMatchObject([
      { id: root, author_id: user, client_msg_id: 'c1', seq: 1, pos: 1, tpos: null, last_tpos: 1, deleted: false, revision: 1, text: 'text 1' },
      { seq: 2, pos: 2, last_tpos: 0, revision: 2, text: null },
      { seq: 3, pos: null, thread_id: root, tpos: 1, last_tpos: 0, text: 'text 3' },
    ]);
    expect(Math.abs((messages[0]?.at ?? 0) - Date.now())).toBeLessThan(10_000);
    expect(await all(channelReactions(tx, channel))).toEqual([{ message_id: root, emoji: '+1', user_id: user, seq: 4 }]);
  });
});

it('the pins of a channel are read, and of no other', async () => {
  await claim();
  const message_id = await drainSome(1, 1);
  const pinned = { ...base(6), type: 'message.pinned', message_id };
  await drainBatch(sql, { channelId: channel, epoch: 1, fence: 1, eventsJson: JSON.stringify([pinned]) });
  await sql.begin(async (tx) => {
    expect(await all(channelPins(tx, channel))).toEqual([{ message_id, seq: 6 }]);
    expect(await all(channelPins(tx, randomUUID()))).toEqual([]);
  });
});

it('which messages have previews, or shall have none, is read, of no other channel', async () => {
  await claim();
  const message_id = await drainSome(1, 1);
  const found = { ...base(6), type: 'message.previewed', message_id, revision: 1, previews: [{ url: 'https://a.example/', title: 'A', description: null, site_name: null }] };
  const read = () => sql.begin(async (tx) => [await all(channelPreviews(tx, channel)), await all(channelPreviews(tx, randomUUID()))]);
  await drainBatch(sql, { channelId: channel, epoch: 1, fence: 1, eventsJson: JSON.stringify([found]) });
  expect(await read()).toEqual([[{ message_id, revision: 1, removed_seq: null }], []]);
  await drainBatch(sql, { channelId: channel, epoch: 1, fence: 1, eventsJson: JSON.stringify([{ ...base(7), type: 'message.previews_removed', message_id }]) });
  expect(await read()).toEqual([[{ message_id, revision: 1, removed_seq: 7 }], []]);
});

it('a membership is found with the kind of its channel', async () => {
  expect(await findMembership(sql, channel, user)).toEqual({ kind: 'private', channel_version: 1, role: 'owner', version: 3 });
  expect(await findMembership(sql, channel, randomUUID())).toEqual({ kind: 'private', channel_version: 1, role: null, version: null });
  expect(await findMembership(sql, randomUUID(), user)).toBeNull();
});

it('a log is moved only from the place where it was found', async () => {
  await claim();
  await drainSome(1, 1);
  const found = await findLogPlace(sql, channel);
  expect(found).toMatchObject({ epoch: 1, fence: 1, drained_seq: 5, event_id: expect.any(String) });
  if (found === null) throw new Error('no place');
  const move = { channelId: channel, found, epoch: 2, fence: 9, drainedSeq: 4 };
  expect([await moveLog(sql, move), await moveLog(sql, move)]).toEqual([true, false]);
  expect(await findLogPlace(sql, channel)).toMatchObject({ epoch: 2, fence: 9, drained_seq: 4 });
});

it('events a room must give up are kept one by one', async () => {
  await keepForkedEvents(sql, channel, 3, JSON.stringify([{ seq: 6, text: 'a' }, { seq: 7, text: 'b' }]));
  const kept = await sql`
    SELECT headers, convert_from(record_value, 'UTF8')::jsonb AS value FROM dead_letters
    WHERE record_key = convert_to(${channel}::text, 'UTF8') ORDER BY headers ->> 'forked_seq'`;
  expect(kept).toEqual([
    { headers: { forked_seq: '6', forked_epoch: '3' }, value: { seq: 6, text: 'a' } },
    { headers: { forked_seq: '7', forked_epoch: '3' }, value: { seq: 7, text: 'b' } },
  ]);
  expect(await poisonedSeqs(sql, { topic: 'message.events', key: channel }, 0, 100)).toEqual([]);
});

it('stored events are read between two numbers, and skipped ones are named', async () => {
  await claim();
  await drainSome(1, 1);
  await skipPoison(sql, { channelId: channel, epoch: 1, fence: 1, seq: 6, eventJson: '{}', errorClass: 'data', errorMessage: 'x' });
  const events = await storedEvents(sql, { topic: 'message.events', key: channel }, 1, 5, 2);
  expect(events.map(({ seq, json }) => [seq, (JSON.parse(json) as { seq: number }).seq])).toEqual([[2, 2], [3, 3]]);
  expect(await poisonedSeqs(sql, { topic: 'message.events', key: channel }, 0, 7)).toEqual([6]);
  expect(await poisonedSeqs(sql, { topic: 'message.events', key: channel }, 6, 7)).toEqual([]);
});
