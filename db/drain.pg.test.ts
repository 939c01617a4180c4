import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ChannelEvent } from '../protocol/events.ts';
import { createConversation, EventWriter } from '../tests/support/conversation.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import { seedsOfRun } from '../tests/support/seed.ts';
import type { Sql } from './client.ts';
import { classifyPostgresError } from './errors.ts';
import { drainBatch, skipPoison } from './queries/drain.ts';

let database: TestDatabase;
let sql: Sql;
let channelId: string;
let write: EventWriter;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());
beforeEach(async () => {
  const conversation = await createConversation(sql);
  channelId = conversation.channelId;
  write = new EventWriter(conversation.userId);
});

const drain = (events: readonly ChannelEvent[], place: { epoch?: number; fence?: number } = {}) =>
  drainBatch(sql, { channelId, epoch: 1, fence: 1, ...place, eventsJson: JSON.stringify(events) });

const failureOf = (query: Promise<unknown>) => query.then(() => null, classifyPostgresError);

const messages = () => sql`
  SELECT id, seq::int, pos::int, thread_id, tpos::int, author_id, client_msg_id, text, origin, revision, created_at, edited_at, deleted_at
  FROM messages WHERE channel_id = ${channelId} ORDER BY seq`;
const threads = () => sql`SELECT root_id, reply_count, last_tpos::int, last_reply_at FROM threads WHERE channel_id = ${channelId} ORDER BY root_id`;
const reactions = () => sql`SELECT message_id, emoji, user_id, seq::int FROM reactions WHERE channel_id = ${channelId} ORDER BY seq`;
const pins = () => sql`SELECT message_id, pinned_by, pinned_at, seq::int FROM pins WHERE channel_id = ${channelId} ORDER BY seq`;
const revisions = () => sql`
  SELECT r.message_id, r.revision, r.text, r.written_at FROM message_revisions r JOIN messages m ON m.id = r.message_id
  WHERE m.channel_id = ${channelId} ORDER BY m.seq, r.revision`;
const logged = () => sql`
  SELECT topic, event_id, type, channel_seq::int, data FROM event_log WHERE key = ${channelId} ORDER BY position`;
async function cursor() {
  const [row] = await sql`
    SELECT epoch, fence::int, drained_seq::int, drained_pos::int FROM conversation_logs WHERE channel_id = ${channelId}`;
  return row;
}

describe('a batch', () => {
  test('G3 G6 is stored and logged whole and in order', async () => {
    const first = write.send('one');
    const events = [first, write.reply(first), write.send('two', { source: 'irc', author: 'ann', sent_at: '2010' }), write.memberAdded(uuidv7())];
    expect(await drain(events)).toEqual({ status: 'ok', drained_seq: 4 });
    expect(await messages()).toMatchObject([
      { id: first.message_id, seq: 1, pos: 1, thread_id: null, tpos: null, author_id: write.actorId, text: 'one', origin: null, revision: 1 },
      { seq: 2, pos: null, thread_id: first.message_id, tpos: 1, text: 'yes' },
      { seq: 3, pos: 2, text: 'two', origin: { source: 'irc', author: 'ann', sent_at: '2010' } },
    ]);
    const entries = events.map((event) => ({
      topic: 'message.events',
      event_id: event.id,
      type: `colink.${event.type}.v1`,
      channel_seq: event.seq,
      data: event,
    }));
    expect(await logged()).toEqual(entries);
    expect(await cursor()).toEqual({ epoch: 1, fence: 1, drained_seq: 4, drained_pos: 2 });
  });

  test('G2 repeated changes nothing', async () => {
    const root = write.send();
    const events = [root, write.reply(root), write.react(root)];
    await drain(events);
    const before = [await messages(), await threads(), await reactions(), await logged()];
    expect(await drain(events)).toEqual({ status: 'ok', drained_seq: 3 });
    expect([await messages(), await threads(), await reactions(), await logged()]).toEqual(before);
  });

  test('G2 that overlaps the stored part adds the rest only', async () => {
    const root = write.send();
    const events = [root, write.reply(root), write.reply(root), write.send()];
    await drain(events.slice(0, 2));
    expect(await drain(events)).toEqual({ status: 'ok', drained_seq: 4 });
    expect(await threads()).toMatchObject([{ reply_count: 2, last_tpos: 2 }]);
    expect((await logged()).map((row) => row['channel_seq'])).toEqual([1, 2, 3, 4]);
    expect(await cursor()).toMatchObject({ drained_pos: 2 });
  });

  test('G2 sent by two at once is stored once', async () => {
    const events = Array.from({ length: 200 }, () => write.send());
    // All sockets are open beforehand, so that the three run at once.
    await Promise.all([1, 2, 3].map(() => sql`SELECT pg_sleep(0.1)`));
    const answers = await Promise.all([drain(events), drain(events), drain(events)]);
    expect(answers).toEqual(Array.from({ length: 3 }, () => ({ status: 'ok', drained_seq: 200 })));
    expect(await logged()).toHaveLength(200);
  });

  test('without events is answered with the cursor', async () => {
    await drain([write.send()]);
    expect(await drain([])).toEqual({ status: 'ok', drained_seq: 1 });
  });

  test('G1 that fails in the middle leaves nothing behind', async () => {
    const bad = { ...write.send(), text: 'nul \u0000' };
    expect(await failureOf(drain([{ ...write.send(), seq: 1 }, { ...bad, seq: 2 }]))).toBe('data');
    expect([await messages(), await logged()]).toEqual([[], []]);
    expect(await cursor()).toMatchObject({ drained_seq: 0 });
  });

  test('keeps text as it is, whatever characters it has', async () => {
    const text = '日本 "quoted" \\u0041 back\\slash {}[] \n\t 👩‍👩‍👧 $1 \'; --';
    await drain([write.send(text)]);
    expect(await messages()).toMatchObject([{ text }]);
    expect(await logged()).toMatchObject([{ data: { text } }]);
  });
});

describe('a batch is refused', () => {
  test('G6 when it leaves a gap behind the cursor, or has one', async () => {
    const [first, second, third] = [write.send(), write.send(), write.send()];
    expect(await drain([second])).toEqual({ status: 'gap', drained_seq: 0 });
    expect(await drain([first, third])).toEqual({ status: 'gap', drained_seq: 0 });
    expect(await drain([second, first])).toEqual({ status: 'gap', drained_seq: 0 });
    expect(await messages()).toHaveLength(0);
  });

  test('from an older instance of the room', async () => {
    const events = [write.send(), write.send()];
    expect(await drain(events.slice(0, 1), { fence: 7 })).toMatchObject({ status: 'ok' });
    expect(await drain(events, { fence: 6 })).toEqual({ status: 'fenced', drained_seq: 1 });
    expect(await drain(events, { fence: 8 })).toEqual({ status: 'ok', drained_seq: 2 });
    expect(await cursor()).toMatchObject({ fence: 8 });
  });

  test.each([0, 2])('of epoch %i where the log is at 1', async (epoch) => {
    expect(await drain([write.send()], { epoch, fence: 99 })).toEqual({ status: 'fenced', drained_seq: 0 });
  });

  test('for a channel that is not there', async () => {
    channelId = uuidv7();
    expect(await drain([write.send()])).toEqual({ status: 'unknown', drained_seq: 0 });
  });

  test('where a partition is missing, and not for its data: nothing may be skipped', async () => {
    const events = [write.send(), { ...write.send(), message_id: '0000ffff-ffff-7000-8000-000000000000' }];
    expect(await failureOf(drain(events))).toBe('other');
    expect(await cursor()).toMatchObject({ drained_seq: 0 });
  });

  test('for its data where it breaks a constraint', async () => {
    expect(await failureOf(drain([{ ...write.send(), pos: null }]))).toBe('data');
    const twice = write.send();
    expect(await failureOf(drain([{ ...twice, seq: 1 }, { ...twice, seq: 2 }]))).toBe('data');
  });
});

describe('messages', () => {
  test('sent, edited and deleted in one batch end as a tombstone without text', async () => {
    const message = write.send('secret');
    const edited = write.edit(message, 'more secret');
    const deleted = write.delete(message);
    await drain([message, edited, deleted]);
    const [row] = await messages();
    expect(row).toMatchObject({ text: '', revision: 2 });
    expect(new Date(row?.['edited_at']).toISOString()).toBe(edited.at);
    expect(new Date(row?.['deleted_at']).toISOString()).toBe(deleted.at);
  });

  test('take the last of several edits, within a batch and across', async () => {
    const message = write.send('first');
    await drain([message, write.edit(message, 'second', 2), write.edit(message, 'third', 3)]);
    expect(await messages()).toMatchObject([{ text: 'third', revision: 3 }]);
    await drain([write.edit(message, 'fourth', 4)]);
    expect(await messages()).toMatchObject([{ text: 'fourth', revision: 4, deleted_at: null }]);
  });
});

describe('threads', () => {
  test('count replies, less the deleted ones', async () => {
    const root = write.send();
    const replies = [write.reply(root), write.reply(root), write.reply(root)] as const;
    const gone = write.delete(replies[1]);
    await drain([root, ...replies, gone]);
    expect(await threads()).toMatchObject([{ root_id: root.message_id, reply_count: 2, last_tpos: 3 }]);
    const last = write.reply(root);
    await drain([last, write.delete(replies[0])]);
    const [thread] = await threads();
    expect(thread).toMatchObject({ reply_count: 2, last_tpos: 4 });
    expect(new Date(thread?.['last_reply_at']).toISOString()).toBe(last.at);
  });

  test('count a reply that is deleted twice once', async () => {
    const root = write.send();
    const reply = write.reply(root);
    await drain([root, reply, write.reply(root), write.delete(reply)]);
    await drain([write.delete(reply)]);
    expect(await threads()).toMatchObject([{ reply_count: 1 }]);
  });

  test('are not touched by the deletion of their root', async () => {
    const root = write.send();
    await drain([root, write.reply(root), write.delete(root)]);
    expect(await threads()).toMatchObject([{ reply_count: 1 }]);
  });
});

describe('reactions', () => {
  test('added and removed within a batch leave the last word', async () => {
    const message = write.send();
    const kept = [write.react(message, 'a'), write.react(message, 'b'), write.unreact(message, 'a'), write.react(message, 'a')];
    await drain([message, ...kept, write.react(message, 'c'), write.unreact(message, 'c')]);
    expect(await reactions()).toMatchObject([
      { emoji: 'b', seq: 3 },
      { emoji: 'a', seq: 5 },
    ]);
  });

  test('removed and added again in a later batch bear the later seq', async () => {
    const message = write.send();
    await drain([message, write.react(message)]);
    await drain([write.unreact(message), write.react(message)]);
    expect(await reactions()).toMatchObject([{ user_id: write.actorId, seq: 4 }]);
    await drain([write.unreact(message)]);
    expect(await reactions()).toEqual([]);
  });

  test('of several users stand beside each other', async () => {
    const message = write.send();
    const other = uuidv7();
    await drain([message, write.react(message), { ...write.react(message), actor_id: other }]);
    expect((await reactions()).map((row) => row['user_id'])).toEqual([write.actorId, other]);
  });
});

describe('a poison event', () => {
  const skip = (event: ChannelEvent, place: { fence?: number } = {}) =>
    skipPoison(sql, {
      channelId,
      epoch: 1,
      fence: 1,
      ...place,
      seq: event.seq,
      eventJson: JSON.stringify(event),
      errorClass: '22P05',
      errorMessage: 'unsupported Unicode escape sequence',
    });
  const deadLetters = () => sql`
    SELECT stage, topic, convert_from(record_key, 'UTF8') AS key, convert_from(record_value, 'UTF8') AS value, headers, error_class, attempts, status
    FROM dead_letters WHERE record_key = convert_to(${channelId}, 'UTF8')`;

  test('is stepped over once, kept whole, and the rest goes on', async () => {
    const poison = write.send('nul \u0000');
    expect(await skip(poison)).toEqual({ status: 'ok', drained_seq: 1 });
    expect(await skip(poison)).toEqual({ status: 'ok', drained_seq: 1 });
    const letter = {
      stage: 'drain',
      topic: 'message.events',
      key: channelId,
      value: JSON.stringify(poison),
      headers: { channel_seq: '1' },
      error_class: '22P05',
      attempts: 1,
      status: 'pending',
    };
    expect(await deadLetters()).toEqual([letter]);
    expect(await drain([write.send()])).toEqual({ status: 'ok', drained_seq: 2 });
  });

  test('is not stepped over out of turn, or by an older instance', async () => {
    const [first, second] = [write.send(), write.send()];
    expect(await skip(second)).toEqual({ status: 'gap', drained_seq: 0 });
    await drain([first], { fence: 5 });
    expect(await skip(second, { fence: 4 })).toEqual({ status: 'fenced', drained_seq: 1 });
    expect(await deadLetters()).toEqual([]);
  });

  test('long behind the cursor is answered with the cursor', async () => {
    const events = [write.send(), write.send(), write.send()] as const;
    await drain(events);
    expect(await skip(events[0])).toEqual({ status: 'ok', drained_seq: 3 });
  });
});

/** A small generator of its own, so that a failure can be repeated by its seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A history in which events refer to any earlier message. */
function history(random: (below: number) => number, length: number): ChannelEvent[] {
  const root = write.send('root');
  const all = [root];
  const pick = () => all[random(all.length)] ?? root;
  const keep = (message: typeof root) => (all.push(message), message);
  const events: ChannelEvent[] = [root];
  const kinds: (() => ChannelEvent)[] = [
    () => keep(write.send()),
    () => keep(write.reply(all.filter((message) => message.thread_id === null)[random(2)] ?? root)),
    () => write.edit(pick(), `edit ${events.length}`, events.length + 1),
    () => write.react(pick(), 'ab'.charAt(random(2))),
    () => write.unreact(pick(), 'ab'.charAt(random(2))),
    () => write.pin(pick()),
    () => write.unpin(pick()),
  ];
  while (events.length < length) events.push(kinds[random(kinds.length)]?.() ?? write.memberAdded(uuidv7()));
  const deleted = all.filter((_, i) => i % 7 === 3).map((message) => write.delete(message));
  return [...events, ...deleted];
}

describe('any cut of a log into batches', () => {
  test.each(seedsOfRun(3))('G2 G7 gives what draining event by event gives, repeats included (seed %i)', async (seed) => {
    const random = randomFrom(seed);
    const events = history(random, 120);
    for (const event of events) await drain([event]);
    const oneByOne = await snapshot();
    await forget();
    for (let at = 0; at < events.length; ) {
      const from = Math.max(0, at - random(10));
      at = Math.min(events.length, at + 1 + random(40));
      expect(await drain(events.slice(from, at))).toEqual({ status: 'ok', drained_seq: at });
    }
    expect(await snapshot()).toEqual(oneByOne);
  });

  const snapshot = async () => [await messages(), await threads(), await reactions(), await pins(), await revisions(), await logged(), await cursor()];

  async function forget(): Promise<void> {
    await sql`DELETE FROM message_revisions r USING messages m WHERE m.id = r.message_id AND m.channel_id = ${channelId}`;
    await sql`DELETE FROM pins WHERE channel_id = ${channelId}`;
    await sql`DELETE FROM messages WHERE channel_id = ${channelId}`;
    await sql`DELETE FROM threads WHERE channel_id = ${channelId}`;
    await sql`DELETE FROM reactions WHERE channel_id = ${channelId}`;
    await sql`DELETE FROM event_log WHERE key = ${channelId}`;
    await sql`UPDATE conversation_logs SET drained_seq = 0, drained_pos = 0 WHERE channel_id = ${channelId}`;
  }
});
