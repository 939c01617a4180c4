import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { integer, pick, seededRandom } from '../../client/testing/random.ts';
import type { Sql } from '../../db/client.ts';
import type { Inbox } from '../../durable-objects/user-inbox/inbox.ts';
import type { SqlDriver } from '../../durable-objects/log/sql-driver.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { phraseOf } from '../../protocol/keywords.ts';
import type { UserTelling } from '../../protocol/tellings.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { actorOf, type InboxClient, openInbox, recordOf } from '../../tests/support/inbox-core.ts';
import { expectedNotices, type Person } from '../../tests/support/notices-oracle.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { seedsOfRun } from '../../tests/support/seed.ts';
import { StoredRoom } from '../../tests/support/stored-room.ts';
import type { NotifierEvent } from './batch.ts';
import { notifier } from './group.ts';

const KEYWORDS = ['tea', 'hot tea', 'engine', '東京'];
const WORDS = ['hot', 'tea', 'Tea', 'engine', 'engines', '東京都', 'and', '@ann', '@ben', '@cas', '@dan', '@channel', '@channels', 'ann@ben'];
const HANDLES = ['ann', 'ben', 'cas', 'dan'];

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());

/** Four people with random settings, of whom one is no member, and some have read ahead. */
async function makePeople(random: () => number, room: StoredRoom): Promise<Person[]> {
  await sql`TRUNCATE users CASCADE`;
  const people: Person[] = HANDLES.map((handle) => ({
    id: uuidv7(), handle,
    isMember: handle !== 'dan',
    level: pick(random, [null, null, 'all', 'mentions', 'none'] as const),
    levelHere: pick(random, [null, null, null, 'all', 'mentions', 'none'] as const),
    isMuted: random() < 0.2,
    isQuiet: random() < 0.3,
    keywords: KEYWORDS.filter(() => random() < 0.4),
    readPos: random() < 0.3 ? integer(random, 8) : 0,
  }));
  for (const { id, handle } of people) await sql`INSERT INTO users (id, issuer, subject, handle, display_name) VALUES (${id}, 'test', ${id}, ${handle}, ${handle})`;
  await sql`INSERT INTO channels (id, kind, name, created_by) VALUES (${room.id}, 'public', ${room.id}, ${people[0]?.id ?? ''})`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${room.id})`;
  for (const person of people) await store(person, room);
  return people;
}

async function store({ id, isMember, level, levelHere, isMuted, isQuiet, keywords }: Person, room: StoredRoom): Promise<void> {
  if (isMember) await sql`INSERT INTO members (channel_id, user_id, version) VALUES (${room.id}, ${id}, 1)`;
  if (level !== null || isQuiet) {
    const [start, zone, days] = isQuiet ? [0, 'Asia/Tokyo', 127] : [null, null, null];
    await sql`INSERT INTO notification_settings (user_id, level, quiet_start, quiet_end, quiet_zone, quiet_weekdays) VALUES (${id}, ${level ?? 'mentions'}, ${start}, ${start}, ${zone}, ${days})`;
  }
  for (const [place, keyword] of keywords.entries()) {
    await sql`INSERT INTO notification_keywords (phrase, user_id, place, keyword) VALUES (${phraseOf(keyword) ?? ''}, ${id}, ${place}, ${keyword})`;
  }
  if (levelHere !== null || isMuted) {
    await sql`INSERT INTO channel_notification_settings (channel_id, user_id, level, muted_until) VALUES (${room.id}, ${id}, ${levelHere}, ${isMuted ? 'infinity' : null}::timestamptz)`;
  }
}

async function converse(random: () => number, room: StoredRoom, people: readonly Person[]): Promise<void> {
  const text = (): string => Array.from({ length: 1 + integer(random, 5) }, () => pick(random, WORDS)).join(' ');
  const author = (): string => pick(random, people.filter(({ isMember }) => isMember)).id;
  for (let step = 0; step < 40; step++) {
    const [dice, message] = [random(), room.sent.length === 0 ? undefined : pick(random, room.sent)];
    if (message === undefined || dice < 0.55) await room.send(author(), text(), null, random() < 0.1 ? { source: 'irc', author: 'x', sent_at: '2004' } : null);
    else if (dice < 0.8) await room.send(author(), text(), message.thread ?? message.id);
    else await room.edit(message.author, message.id, text(), step + 2);
  }
}

const isRead = (event: ChannelEvent): event is Extract<ChannelEvent, NotifierEvent> => ['message.created', 'message.edited'].includes(event.type);

/** Inboxes that fail before, between and after what they are told, and are evicted; each on its own SQLite. */
class FailingInboxes {
  readonly #random: () => number;
  readonly #disks = new Map<string, SqlDriver>();
  readonly #live = new Map<string, Inbox<InboxClient>>();

  constructor(random: () => number) {
    this.#random = random;
  }

  async of(userId: string): Promise<Inbox<InboxClient>> {
    const disk = this.#disks.get(userId) ?? nodeSqlite();
    this.#disks.set(userId, disk);
    const inbox = this.#live.get(userId) ?? (await openInbox(userId, { sql: disk, record: recordOf(sql, userId), clock: Date.now }));
    this.#live.set(userId, inbox);
    return inbox;
  }

  tell = async (tellings: readonly UserTelling[]): Promise<[]> => {
    for (const { user_id, ...telling } of tellings) {
      if (this.#random() < 0.1) throw new Error('an inbox could not be reached');
      (await this.of(user_id)).tell(telling);
      if (this.#random() < 0.2) this.evict(user_id);
    }
    if (this.#random() < 0.2) throw new Error('the answer was lost');
    return [];
  };

  /** What it has not drained is on its disk. */
  evict(userId: string): void {
    this.#live.delete(userId);
  }
}

/** Far more than 40 events need, though every other batch fails. */
const MOST_BATCHES = 400;

/** As the runtime does it: whole batches, again after a failure, and some that were taken once more. */
async function consume(random: () => number, room: StoredRoom, inboxes: FailingInboxes): Promise<void> {
  const group = notifier(inboxes);
  const events = room.events.filter(isRead);
  let at = 0;
  for (let tries = 0; at < events.length; tries++) {
    if (tries > MOST_BATCHES) throw new Error(`the group does not come past event ${at}`);
    const batch = events.slice(at, at + 1 + integer(random, 7));
    const isTaken = await sql.begin(async (tx) => {
      await group.apply(tx, batch.map((event, n) => ({ key: room.id, position: at + n, event })));
      if (random() < 0.1) throw new Error('killed before the commit');
    }).then(() => true, () => false);
    if (isTaken) at = random() < 0.15 ? Math.max(0, at - integer(random, 6)) : at + batch.length;
  }
}

async function storedNotices(userId: string) {
  return await sql<{ message_id: string; reason: string; quiet: boolean }[]>`
    SELECT n.message_id, n.reason, n.quiet FROM notifications n WHERE n.user_id = ${userId} ORDER BY n.message_id`;
}

describe('notices equal a replay of the topic with the settings, whatever fails (G2, G7)', () => {
  let told = 0;
  it.each(seedsOfRun(5))('seed %i', async (seed) => {
    const random = seededRandom(seed);
    const room = new StoredRoom(sql);
    const people = await makePeople(random, room);
    const inboxes = new FailingInboxes(random);
    for (const { id, isMember, readPos } of people) if (isMember && readPos > 0) await (await inboxes.of(id)).read(actorOf(id), room.id, readPos);
    await converse(random, room, people);
    await consume(random, room, inboxes);
    for (const person of people) {
      const expected = expectedNotices(room.events, person, people);
      told += expected.length;
      const inbox = await inboxes.of(person.id);
      inbox.resume([]);
      await eventually(async () => JSON.stringify(await storedNotices(person.id)) === JSON.stringify(expected), 10_000, async () => ({ of: person, stored: await storedNotices(person.id), expected }));
    }
  }, 60_000);

  it('and are some: a conversation may have none, but not all of them', () => expect(told).toBeGreaterThan(0));
});
