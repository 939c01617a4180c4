import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { integer, pick, seededRandom } from '../client/testing/random.ts';
import type { ChannelEvent } from '../protocol/events.ts';
import { EventWriter } from '../tests/support/conversation.ts';
import { foldMessages } from '../tests/support/fold.ts';
import { testDatabase, type TestDatabase } from '../tests/support/postgres.ts';
import type { Sql } from './client.ts';
import { countUserBadges } from './queries/badges.ts';
import { drainBatch } from './queries/drain.ts';
import { deleteMember, enrol } from './queries/members.ts';
import { MAX_UNREAD } from '../protocol/limits.ts';
import { seedsOfRun } from '../tests/support/seed.ts';

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());

type Created = Extract<ChannelEvent, { type: 'message.created' }>;
interface Person {
  readonly id: string;
  readonly handle: string;
}

async function people(count: number): Promise<Person[]> {
  const made = Array.from({ length: count }, (_, index) => ({ id: uuidv7(), handle: `reader${index}${uuidv7().slice(-8)}` }));
  for (const { id, handle } of made) await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${id}, 'test', ${id}, ${handle}, ${handle})`;
  return made;
}

async function channelOf(members: readonly Person[]): Promise<string> {
  const id = uuidv7();
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${id}, 'public', ${id}, ${members[0]?.id ?? ''})`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${id})`;
  for (const [index, member] of members.entries()) await sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${id}, ${member.id}, 'member', ${index + 1})`;
  return id;
}

/** A random history: messages of all, some of which mention somebody; replies, edits, deletions, reactions. */
function history(random: () => number, members: readonly Person[], count: number): ChannelEvent[] {
  const write = new EventWriter(members[0]?.id ?? '');
  const events: ChannelEvent[] = [];
  const live: Created[] = [];
  const text = (): string => pick(random, ['hello', `hello @${pick(random, members).handle}`, `@${pick(random, members).handle}: see`, 'a@b.example']);
  const by = <E extends ChannelEvent>(event: E): E => ({ ...event, actor_id: pick(random, members).id });
  const steps = {
    send: () => live.push(by(write.send(text()))),
    reply: (root: Created) => live.push(by(write.reply(root, text()))),
    edit: ({ message_id, actor_id }: Created) => events.push({ ...write.edit({ message_id }, text()), actor_id }),
    delete: (message: Created) => {
      live.splice(live.indexOf(message), 1);
      events.push({ ...write.delete(message), actor_id: message.actor_id });
    },
    react: (message: Created) => events.push(by(write.react(message, `e${events.length}`))),
  };
  while (events.length < count) {
    const known = live.length;
    const what = known === 0 ? 'send' : pick(random, ['send', 'send', 'send', 'reply', 'edit', 'delete', 'react'] as const);
    if (what === 'send') steps.send();
    else {
      const message = pick(random, live);
      if (what !== 'reply' || message.thread_id === null) steps[what](message);
    }
    if (live.length > known) events.push(...live.slice(known));
  }
  return events;
}

/** What the definition says, of the messages as they are now. */
function expected(events: readonly ChannelEvent[], reader: Person, readPos: number) {
  const others = [...foldMessages(events).values()].filter(({ pos, deleted, author_id }) => pos !== null && pos > readPos && !deleted && author_id !== reader.id);
  return { read_pos: readPos, unread: others.length, mentions: others.filter(({ text }) => text.includes(`@${reader.handle}`)).length };
}

it.each(seedsOfRun(6))('unread is count(pos > read_pos, not own, not deleted), and mentions those of them that name the reader (seed %i)', async (seed) => {
  const random = seededRandom(seed);
  const members = await people(4);
  const [channelId, other] = [await channelOf(members), await channelOf(members)];
  const events = history(random, members, 120);
  const markers = new Map<string, number>();
  for (let drained = 0; drained < events.length; ) {
    const size = Math.min(events.length - drained, 1 + integer(random, 25));
    await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify(events.slice(drained, drained + size)) });
    drained += size;
    const mover = pick(random, members);
    const pos = Math.max(markers.get(mover.id) ?? 0, integer(random, drained));
    markers.set(mover.id, pos);
    await sql`INSERT INTO read_states (user_id, channel_id, read_pos) VALUES (${mover.id}, ${channelId}, ${pos})
      ON CONFLICT (user_id, channel_id) DO UPDATE SET read_pos = excluded.read_pos`;
    for (const reader of members) {
      const counted = await countUserBadges(sql, reader.id);
      expect(counted.find(({ channel_id }) => channel_id === channelId)).toMatchObject({ as_of_seq: drained, ...expected(events.slice(0, drained), reader, markers.get(reader.id) ?? 0) });
      expect(counted.find(({ channel_id }) => channel_id === other)).toMatchObject({ as_of_seq: 0, unread: 0, mentions: 0 });
    }
  }
});

it(`is exact up to ${MAX_UNREAD} messages behind, and counts the newest ${MAX_UNREAD} for who is further behind (G8)`, async () => {
  const [author, reader] = await people(2) as [Person, Person];
  const channelId = await channelOf([author, reader]);
  const write = new EventWriter(author.id);
  const length = MAX_UNREAD + 200;
  const sent = Array.from({ length }, (_, index) => write.send(index % 100 === 0 ? `for @${reader.handle}` : 'for nobody'));
  const gone = sent[750];
  const events = [...sent, ...(gone === undefined ? [] : [write.delete(gone)])];
  for (let at = 0; at < events.length; at += 200) await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify(events.slice(at, at + 200)) });
  const countedAt = async (readPos: number) => {
    await sql`INSERT INTO read_states (user_id, channel_id, read_pos) VALUES (${reader.id}, ${channelId}, ${readPos}) ON CONFLICT (user_id, channel_id) DO UPDATE SET read_pos = excluded.read_pos`;
    return (await countUserBadges(sql, reader.id)).find(({ channel_id }) => channel_id === channelId);
  };
  expect(await countedAt(0)).toMatchObject({ last_pos: length, read_pos: 0, unread: MAX_UNREAD - 1, mentions: 10 });
  for (const readPos of [199, 200, 201, 700, length - 1, length]) expect(await countedAt(readPos)).toMatchObject(expectedOf(readPos));
  function expectedOf(readPos: number) {
    return readPos < 200 ? { unread: MAX_UNREAD - 1, mentions: 10 } : expected(events, reader, readPos);
  }
}, 60_000);

it('what was said before a member joined is read, mentions included, until they mark it as unread; and so it is to who comes back', async () => {
  const [author, reader] = await people(2) as [Person, Person];
  const channelId = await channelOf([author]);
  const write = new EventWriter(author.id);
  const say = (text: string) => drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify([write.send(text)]) });
  const change = () => ({ channelId, userId: reader.id, actorId: reader.id, eventId: uuidv7(), now: new Date(), traceparent: null });
  const join = () => database.connection.db.transaction((tx) => enrol(tx, change()));
  const counted = async () => (await countUserBadges(sql, reader.id)).map(({ last_pos, read_pos, unread, mentions }) => [last_pos, read_pos, unread, mentions]);
  for (const text of [`for @${reader.handle}`, 'for all']) await say(text);
  await join();
  expect(await counted()).toEqual([[2, 2, 0, 0]]);
  await say(`hello @${reader.handle}`);
  expect(await counted()).toEqual([[3, 2, 1, 1]]);
  await sql`INSERT INTO read_states (user_id, channel_id, read_pos, generation) VALUES (${reader.id}, ${channelId}, 0, 1)`;
  expect(await counted()).toEqual([[3, 0, 3, 2]]);
  await sql`UPDATE read_states SET read_pos = 1, generation = 0 WHERE user_id = ${reader.id}`;
  expect(await counted()).toEqual([[3, 2, 1, 1]]);
  await database.connection.db.transaction((tx) => deleteMember(tx, change()));
  await say('while away');
  await join();
  expect(await counted()).toEqual([[4, 4, 0, 0]]);
});

it('mentions are also what called the reader otherwise, by their notices: after the marker, while it is there, once each, in this channel', async () => {
  const [author, reader] = await people(2) as [Person, Person];
  const [channelId, other] = [await channelOf([author, reader]), await channelOf([author, reader])];
  const write = new EventWriter(author.id);
  const sent = ['for @channel', `@channel and @${reader.handle}`, 'a keyword', 'to all', 'to a thread'].map((text) => write.send(text));
  await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify(sent) });
  const keyword = sent[2];
  const counted = async () => (await countUserBadges(sql, reader.id)).filter(({ channel_id }) => channel_id === channelId).map(({ unread, mentions, settings_version }) => [unread, mentions, settings_version]);
  expect(await counted()).toEqual([[5, 1, 0]]);
  await sql`INSERT INTO inbox_logs (user_id, drained_seq) VALUES (${reader.id}, 5)`;
  const note = async (seq: number, reason: string, of: Created | undefined, channel = channelId, pos = of?.pos ?? null) => {
    await sql`INSERT INTO notifications (user_id, seq, id, reason, channel_id, message_id, author_id, pos, thread_id, quiet, created_at)
      VALUES (${reader.id}, ${seq}, ${uuidv7()}, ${reason}, ${channel}, ${of?.message_id ?? ''}, ${author.id}, ${pos}, NULL, false, now())`;
  };
  for (const [index, reason] of ['channel_mention', 'mention', 'keyword', 'all'].entries()) await note(index + 1, reason, sent[index]);
  await note(5, 'keyword', sent[4], channelId, null);
  await note(6, 'keyword', sent[4], other);
  expect(await counted()).toEqual([[5, 3, 5]]);
  await sql`INSERT INTO read_states (user_id, channel_id, read_pos) VALUES (${reader.id}, ${channelId}, 1)`;
  expect(await counted()).toEqual([[4, 2, 5]]);
  await drainBatch(sql, { channelId, epoch: 1, fence: 1, eventsJson: JSON.stringify([keyword].flatMap((one) => (one ? [write.delete(one)] : []))) });
  expect(await counted()).toEqual([[3, 1, 5]]);
});

it('mentions are none where their user wants no notices: by the level of the channel, or the general one; each change has another version', async () => {
  const [author, reader] = await people(2);
  if (author === undefined || reader === undefined) throw new Error('there are two');
  const id = await channelOf([author, reader]);
  const write = new EventWriter(author.id);
  await drainBatch(sql, { channelId: id, epoch: 1, fence: 1, eventsJson: JSON.stringify([write.send(`hello @${reader.handle}`)]) });
  const counted = async () => (await countUserBadges(sql, reader.id)).map(({ unread, mentions, settings_version }) => [unread, mentions, settings_version]);
  const here = (level: string | null, version: number) => sql`
    INSERT INTO channel_notification_settings (channel_id, user_id, level, version) VALUES (${id}, ${reader.id}, ${level}, ${version})
    ON CONFLICT (channel_id, user_id) DO UPDATE SET level = excluded.level, version = excluded.version`;
  expect(await counted()).toEqual([[1, 1, 0]]);
  await here('none', 1);
  expect(await counted()).toEqual([[1, 0, 1]]);
  await sql`INSERT INTO notification_settings (user_id, level) VALUES (${reader.id}, 'none')`;
  await here(null, 2);
  expect(await counted()).toEqual([[1, 0, 3]]);
  await here('mentions', 3);
  expect(await counted()).toEqual([[1, 1, 4]]);
});
