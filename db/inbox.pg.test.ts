import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type TestDatabase, testDatabase } from '../tests/support/postgres.ts';
import type { Sql } from './client.ts';
import { countAwakeBadges, letInboxesSleep, wakeInbox } from './queries/badges.ts';
import { claimInbox, drainInbox, findInboxChannel, findInboxPlace, inboxChannels, skipInboxPoison } from './queries/inbox-log.ts';
import { poisonedSeqs, storedEvents } from './queries/resume.ts';

let database: TestDatabase;
let sql: Sql;
let user: string;
let channel: string;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());

beforeEach(async () => {
  [user, channel] = [uuidv7(), uuidv7()];
  await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${user}, 'test', ${user}, ${user}, 'Somebody')`;
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${channel}, 'public', ${channel}, ${user})`;
  await sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${channel}, ${user}, 'owner', 4)`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${channel})`;
});

const claim = (epoch = 1, fence = 1) => ({ userId: user, epoch, fence });
const moved = (seq: number, read_pos: number, channel_id = channel) => ({ type: 'read.moved', seq, id: uuidv7(), at: '2026-11-26T10:00:00.000Z', channel_id, read_pos });
const drain = (events: readonly object[], by = claim()) => drainInbox(sql, by, JSON.stringify(events));
const opened = () => sql.begin((tx) => claimInbox(tx, user));
const marker = async () => (await sql<{ read_pos: number }[]>`SELECT r.read_pos::integer AS read_pos FROM read_states r WHERE r.user_id = ${user}`)[0]?.read_pos;
const logged = async () => (await storedEvents(sql, { topic: 'user.events', key: user }, 0, 100, 100)).map(({ seq }) => seq);

const noticed = (seq: number) => ({
  type: 'message.notified', seq, id: uuidv7(), at: '2026-11-26T10:00:00.000Z', reason: 'mention', channel_id: channel, message_id: uuidv7(), author_id: user, channel_seq: seq, pos: seq, thread_id: null,
});
const kept = async () => (await sql<{ seq: number }[]>`SELECT n.seq::integer AS seq FROM notifications n WHERE n.user_id = ${user} ORDER BY n.seq`).map(({ seq }) => seq);

describe('the drain of an inbox', () => {
  it('G6: stores a strict prefix, skips what it has, and refuses gaps, older instances and other epochs', async () => {
    expect(await drain([moved(1, 5)])).toEqual({ status: 'unknown', drained_seq: 0 });
    expect(await opened()).toEqual({ epoch: 1, fence: 1, drained_seq: 0, awake_version: 0, notices_read_seq: 0 });
    expect(await drain([moved(1, 5), moved(2, 3)])).toEqual({ status: 'ok', drained_seq: 2 });
    expect(await drain([moved(1, 5), moved(2, 3), moved(3, 4)], claim(1, 2))).toEqual({ status: 'ok', drained_seq: 3 });
    expect(await drain([moved(4, 9)], claim(1, 1))).toEqual({ status: 'fenced', drained_seq: 3 });
    expect(await drain([moved(4, 9)], claim(2, 9))).toEqual({ status: 'fenced', drained_seq: 3 });
    expect(await drain([moved(5, 9)], claim(1, 2))).toEqual({ status: 'gap', drained_seq: 3 });
    expect(await drain([moved(4, 9), moved(6, 9)], claim(1, 2))).toEqual({ status: 'gap', drained_seq: 3 });
    expect([await logged(), await marker()]).toEqual([[1, 2, 3], 5]);
  });

  it('never sets a marker back, and leaves out one of a channel that is gone', async () => {
    await opened();
    expect(await drain([moved(1, 8), moved(2, 2, uuidv7())])).toMatchObject({ status: 'ok' });
    expect(await drain([moved(3, 6)])).toMatchObject({ status: 'ok', drained_seq: 3 });
    expect([await marker(), await logged()]).toEqual([8, [1, 2, 3]]);
  });

  it('takes of two markers the one of the later generation, then of the higher pos, in whatever batches and order they come', async () => {
    await opened();
    const place = async () => (await sql`SELECT r.read_pos::integer AS pos, r.generation::integer AS generation FROM read_states r WHERE r.user_id = ${user}`)[0];
    await drain([moved(1, 9), { ...moved(2, 4), generation: 1 }, { ...moved(3, 6), generation: 1 }]);
    expect(await place()).toEqual({ pos: 6, generation: 1 });
    await drain([moved(4, 9), { ...moved(5, 5), generation: 1 }]);
    expect(await place()).toEqual({ pos: 6, generation: 1 });
    await drain([{ ...moved(6, 0), generation: 2 }]);
    expect(await place()).toEqual({ pos: 0, generation: 2 });
  });

  it('G6: steps over an event that cannot be stored, which is a dead letter', async () => {
    await opened();
    await expect(drain([{ ...moved(1, 1), channel_id: 'nonsense' }])).rejects.toThrow('uuid');
    expect(await skipInboxPoison(sql, claim(), { seq: 1, json: '{"seq":1}' }, 'no uuid')).toEqual({ status: 'ok', drained_seq: 1 });
    expect(await drain([moved(2, 1)])).toMatchObject({ status: 'ok' });
    expect(await poisonedSeqs(sql, { topic: 'user.events', key: user }, 0, 9)).toEqual([1]);
  });

  it('is claimed anew, in the next epoch, by an inbox that has lost its storage; asleep, and with what it was notified of', async () => {
    await opened();
    const notice = { ...noticed(1), channel_seq: 17 };
    const event = moved(2, 8);
    await drain([notice, event]);
    await wakeInbox(sql, user, 3);
    const [claimed, channels] = await sql.begin(async (tx) => [await claimInbox(tx, user), await inboxChannels(tx, user)] as const);
    expect(claimed).toEqual({ epoch: expect.any(Number), fence: 2, drained_seq: 2, awake_version: 3, notices_read_seq: 0 });
    expect(claimed?.epoch).toBeGreaterThan(1);
    expect(channels).toEqual([{ channel_id: channel, role: 'owner', version: 4, read_pos: 8, read_generation: 0, notified_seq: 17 }]);
    await sql`UPDATE members SET joined_pos = 9 WHERE user_id = ${user}`;
    expect(await sql.begin((tx) => inboxChannels(tx, user))).toMatchObject([{ read_pos: 9 }]);
    expect(await findInboxPlace(sql, user)).toEqual({ epoch: claimed?.epoch, fence: 2, drained_seq: 2, event_id: event.id });
    expect(await countAwakeBadges(sql, [channel])).toEqual([]);
    expect(await sql.begin((tx) => claimInbox(tx, uuidv7()))).toBeNull();
  });
});

describe('notifications', () => {
  it('are the notices of the log, each once, and how far they were read never goes down (G6, G7)', async () => {
    await opened();
    const first = { ...noticed(1), quiet: true };
    await drain([first, moved(2, 5)]);
    await drain([first, moved(2, 5), noticed(3), { type: 'notices.read', seq: 4, id: uuidv7(), at: '2026-11-26T10:00:00.000Z', read_seq: 3 }]);
    await drain([{ type: 'notices.read', seq: 5, id: uuidv7(), at: '2026-11-26T10:00:00.000Z', read_seq: 1 }]);
    expect(await kept()).toEqual([1, 3]);
    expect(await sql`SELECT n.quiet, n.message_id FROM notifications n WHERE n.user_id = ${user} AND n.seq = 1`).toEqual([{ quiet: true, message_id: first.message_id }]);
    expect((await opened())?.notices_read_seq).toBe(3);
  });

  it('are kept in bounds: the newest 1,000, and fewer than a hundred more (G8)', async () => {
    await opened();
    for (let seq = 1; seq <= 1_350; seq += 50) await drain(Array.from({ length: 50 }, (_, index) => noticed(seq + index)));
    const seqs = await kept();
    expect([seqs.length, seqs.at(-1)]).toEqual([1_050, 1_350]);
  });
});

describe('awake inboxes', () => {
  it('are told until they are put to sleep by the version they woke with', async () => {
    await opened();
    const told = async () => (await countAwakeBadges(sql, [channel])).map(({ user_id }) => user_id);
    expect(await told()).toEqual([]);
    await wakeInbox(sql, user, 1);
    await wakeInbox(sql, user, 2);
    await letInboxesSleep(sql, [{ user_id: user, awake_version: 1 }]);
    expect(await told()).toEqual([user]);
    await letInboxesSleep(sql, [{ user_id: user, awake_version: 2 }]);
    expect(await told()).toEqual([]);
    // The answer to this waking got lost: it asks once more with the same version.
    await wakeInbox(sql, user, 2);
    expect(await told()).toEqual([user]);
  });
});

describe('a place in a channel', () => {
  it('is what Postgres holds of members, former members and others; guests may not know of a channel that is not theirs (G5)', async () => {
    const [former, guest] = [uuidv7(), uuidv7()];
    for (const [id, role] of [[former, 'member'], [guest, 'guest']] as const) {
      await sql`INSERT INTO users (id, issuer, subject, handle, display_name, role) VALUES (${id}, 'test', ${id}, ${id}, 'Somebody', ${role})`;
    }
    await sql`INSERT INTO former_members (channel_id, user_id, version) VALUES (${channel}, ${former}, 9)`;
    expect(await findInboxChannel(sql, user, channel)).toEqual({ isVisible: true, role: 'owner', version: 4 });
    expect(await findInboxChannel(sql, former, channel)).toEqual({ isVisible: true, role: null, version: 9 });
    expect(await findInboxChannel(sql, guest, channel)).toEqual({ isVisible: false, role: null, version: null });
    expect(await findInboxChannel(sql, user, uuidv7())).toBeNull();
  });
});

describe('mentioned_handles', () => {
  const handlesIn = async (text: string) => (await sql<[{ handles: string[] }]>`SELECT to_json(mentioned_handles(${text})) AS handles`)[0].handles;

  it.each([
    ['@bob', ['bob']],
    ['hello @Bob, @alice-2!', ['alice-2', 'bob']],
    ['(@bob.smith.) "@x" @a_b_', ['a_b', 'bob.smith', 'x']],
    ['@bob @bob\n@carol', ['bob', 'carol']],
    ['mail bob@example.org, @@bob, @, @-bob, a.@bob', []],
    [`@${'x'.repeat(65)}`, []],
    ['東京@bob', ['bob']],
  ])('finds in %j', async (text, handles) => {
    expect(await handlesIn(text)).toEqual(handles);
  });
});
