import { uuidv7 } from 'uuidv7';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../db/client.ts';
import type { ChannelEvent } from '../../protocol/events.ts';
import { phraseOf } from '../../protocol/keywords.ts';
import { MAX_OPEN_BROADCAST } from '../../protocol/limits.ts';
import type { UserTelling } from '../../protocol/tellings.ts';
import { type TestDatabase, testDatabase } from '../../tests/support/postgres.ts';
import { StoredRoom } from '../../tests/support/stored-room.ts';
import type { NotifierEvent } from './batch.ts';
import { notifier } from './group.ts';

const PEOPLE = ['ann', 'ben', 'cas', 'dan'] as const;
type Name = (typeof PEOPLE)[number];

let database: TestDatabase;
let sql: Sql;
let ids: Record<Name, string>;
let tellings: UserTelling[];
let taken: Map<StoredRoom, number>;

beforeAll(async () => {
  database = await testDatabase();
  sql = database.connection.sql;
});
afterAll(() => database.drop());

beforeEach(async () => {
  await sql`TRUNCATE users CASCADE`;
  ids = { ann: uuidv7(), ben: uuidv7(), cas: uuidv7(), dan: uuidv7() };
  taken = new Map();
  for (const name of PEOPLE) await addUser(ids[name], name);
});

const addUser = (id: string, handle: string, role = 'member') =>
  sql`INSERT INTO users (id, issuer, subject, handle, display_name, role) VALUES (${id}, 'test', ${id}, ${handle}, ${handle}, ${role})`;
const addMember = (room: StoredRoom, userId: string, role = 'member') =>
  sql`INSERT INTO members (channel_id, user_id, role, version) VALUES (${room.id}, ${userId}, ${role}, 1)`;

async function newRoom(members: readonly Name[] = ['ann', 'ben', 'cas'], kind: 'public' | 'direct' = 'public'): Promise<StoredRoom> {
  const room = new StoredRoom(sql);
  const direct = kind === 'direct' ? `{${members.map((member) => ids[member]).toSorted().join(',')}}` : null;
  await sql`INSERT INTO channels (id, kind, name, created_by, direct_user_ids) VALUES (${room.id}, ${kind}, ${direct === null ? room.id : null}, ${ids.ann}, ${direct}::text::uuid[])`;
  await sql`INSERT INTO conversation_logs (channel_id) VALUES (${room.id})`;
  for (const member of members) await addMember(room, ids[member]);
  return room;
}

const isRead = (event: ChannelEvent): event is Extract<ChannelEvent, NotifierEvent> => ['message.created', 'message.edited', 'message.deleted'].includes(event.type);

/** Has the group take what was said since the last time; who is notified by it, and why. */
async function noticed(room: StoredRoom, again = false): Promise<Record<string, readonly string[]>> {
  tellings = [];
  const inboxes = { tell: async (told: readonly UserTelling[]) => (tellings.push(...told), []) };
  const events = room.events.slice(again ? 0 : (taken.get(room) ?? 0)).filter(isRead);
  taken.set(room, room.events.length);
  await sql.begin((tx) => notifier(inboxes).apply(tx, events.map((event, position) => ({ key: room.id, position, event }))));
  const names = Object.entries(ids);
  return Object.fromEntries(
    tellings
      .filter(({ notices }) => notices.length > 0)
      .map(({ user_id, notices }): [string, string[]] => [names.find(([, id]) => id === user_id)?.[0] ?? user_id, notices.map(({ reason, quiet }) => (quiet ? `${reason}, quietly` : reason))])
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

interface Settings {
  readonly level?: string;
  readonly quiet?: readonly [number, number, string];
  readonly keywords?: readonly string[];
}

async function set(name: Name, { level = 'mentions', quiet, keywords = [] }: Settings): Promise<void> {
  const [start, end, zone] = quiet ?? [null, null, null];
  await sql`
    INSERT INTO notification_settings (user_id, level, quiet_start, quiet_end, quiet_zone, quiet_weekdays)
    VALUES (${ids[name]}, ${level}, ${start}, ${end}, ${zone}, ${quiet ? 127 : null})`;
  for (const [place, keyword] of keywords.entries()) {
    await sql`INSERT INTO notification_keywords (phrase, user_id, place, keyword) VALUES (${phraseOf(keyword) ?? ''}, ${ids[name]}, ${place}, ${keyword})`;
  }
}

const setHere = (room: StoredRoom, name: Name, level: string | null, mutedUntil: string | null = null) =>
  sql`INSERT INTO channel_notification_settings (channel_id, user_id, level, muted_until) VALUES (${room.id}, ${ids[name]}, ${level}, ${mutedUntil}::timestamptz)`;

describe('who is notified', () => {
  it('finds who is named by a handle that they had before, and counts it for their badge', async () => {
    const room = await newRoom();
    await sql`UPDATE users SET handle = 'benjamin' WHERE id = ${ids.ben}`;
    await sql`INSERT INTO former_handles (handle, user_id, given_up_at) VALUES ('ben', ${ids.ben}, now())`;
    await room.send(ids.ann, 'tea, @ben?');
    expect(await noticed(room)).toEqual({ ben: ['mention'] });
    await sql`UPDATE users SET handle = 'ben' WHERE id = ${ids.ben}`;
    await sql`DELETE FROM former_handles`;
  });

  it('never the author, whatever the reason', async () => {
    const [room, direct, group] = [await newRoom(), await newRoom(['ann', 'ben'], 'direct'), await newRoom(['ann', 'ben', 'cas'], 'direct')];
    await set('ann', { level: 'all', keywords: ['tea'] });
    const root = await room.send(ids.ann, 'tea for @ann and @channel');
    await room.send(ids.ann, '@ann', root);
    await direct.send(ids.ann, 'tea');
    await group.send(ids.ann, 'tea');
    expect([await noticed(room), await noticed(direct), await noticed(group)]).toEqual([{ ben: ['channel_mention'], cas: ['channel_mention'] }, { ben: ['direct'] }, { ben: ['direct'], cas: ['direct'] }]);
  });

  it('members alone, as they are at that moment (G5)', async () => {
    const room = await newRoom();
    await set('dan', { level: 'all', keywords: ['tea'] });
    await setHere(room, 'dan', 'all');
    await room.send(ids.ann, 'tea for @dan and @cas');
    await sql`DELETE FROM members WHERE channel_id = ${room.id} AND user_id = ${ids.cas}`;
    expect(await noticed(room)).toEqual({});
  });

  it('once a message, for the first of its reasons', async () => {
    const room = await newRoom();
    await set('ben', { level: 'all', keywords: ['tea', 'hot tea'] });
    const root = await room.send(ids.ben, 'root');
    for (const text of ['hot tea, @ben, @channel', 'hot tea, @channel', 'for @channel']) await room.send(ids.ann, text, root);
    await room.send(ids.ann, 'for @channel');
    await room.send(ids.ann, 'hello');
    expect((await noticed(room))['ben']).toEqual(['mention', 'keyword', 'thread_reply', 'channel_mention', 'all']);
  });

  it('of a thread: the author of its root and whoever replied before, however late it is told', async () => {
    const room = await newRoom(['ann', 'ben', 'cas', 'dan']);
    const root = await room.send(ids.ann, 'root');
    await room.send(ids.ben, 'one', root);
    await room.send(ids.cas, 'two', root);
    expect(await noticed(room)).toEqual({ ann: ['thread_reply', 'thread_reply'], ben: ['thread_reply'] });
  });

  it('of a thread: who was named in it, and who follows it by their own word, from then on; not who unfollowed, until they are named again', async () => {
    const room = await newRoom(['ann', 'ben', 'cas', 'dan']);
    const root = await room.send(ids.ann, 'root');
    const choose = (name: Name, choice: string, tpos: number) => sql`
      INSERT INTO thread_followers AS t (root_id, user_id, channel_id, choice, choice_tpos) VALUES (${root}, ${ids[name]}, ${room.id}, ${choice}, ${tpos})
      ON CONFLICT (root_id, user_id) DO UPDATE SET choice = excluded.choice, choice_tpos = excluded.choice_tpos, renamed_tpos = NULL`;
    await room.send(ids.ben, 'one, @cas', root);
    await room.send(ids.ben, 'two', root);
    expect(await noticed(room)).toEqual({ ann: ['thread_reply', 'thread_reply'], cas: ['mention', 'thread_reply'] });
    await choose('dan', 'followed', 2);
    await choose('ann', 'unfollowed', 2);
    await room.send(ids.ben, 'three', root);
    expect(await noticed(room)).toEqual({ cas: ['thread_reply'], dan: ['thread_reply'] });
    await room.send(ids.ben, 'four, @ann', root);
    await room.send(ids.ben, 'five', root);
    expect((await noticed(room))['ann']).toEqual(['mention', 'thread_reply']);
    // What was before is told again as it was decided.
    expect((await noticed(room, true))['dan']).toEqual(['thread_reply', 'thread_reply', 'thread_reply']);
    expect((await noticed(room, true))['ann']).toEqual(['mention', 'thread_reply']);
  });

  it('by keyword: in channels of which one is a member, for whole words', async () => {
    const room = await newRoom(['ann', 'ben']);
    for (const name of ['ben', 'cas'] as const) await set(name, { keywords: ['difference engine', 'Straße', '東京'] });
    for (const text of ['a DIFFERENCE engine', 'STRASSE', '東京都', 'engine difference', 'differences engine']) await room.send(ids.ann, text);
    expect(await noticed(room)).toEqual({ ben: ['keyword', 'keyword', 'keyword'] });
  });
});

describe('@channel and @here', () => {
  it('@here reaches those whose inbox is awake, @channel all', async () => {
    const room = await newRoom();
    await sql`INSERT INTO inbox_logs (user_id, is_awake) VALUES (${ids.ben}, true), (${ids.cas}, false)`;
    await room.send(ids.ann, 'who is @here?');
    expect(await noticed(room)).toEqual({ ben: ['channel_mention'] });
    await room.send(ids.ann, '@channel: and @here');
    expect(await noticed(room)).toEqual({ ben: ['channel_mention'], cas: ['channel_mention'] });
    await room.send(ids.ann, 'no @channels, no x@here');
    expect(await noticed(room)).toEqual({});
  });

  it('are words like others from a guest', async () => {
    const room = await newRoom();
    await sql`UPDATE users SET role = 'guest' WHERE id = ${ids.ann}`;
    await room.send(ids.ann, '@channel');
    expect(await noticed(room)).toEqual({});
  });

  it('in a large channel are for its owners and admins, and for moderators', async () => {
    const room = await newRoom();
    const others = Array.from({ length: MAX_OPEN_BROADCAST - 3 }, () => uuidv7());
    for (const id of others) {
      await addUser(id, id);
      await addMember(room, id);
    }
    const reached = async (author: Name) => {
      await room.send(ids[author], '@channel');
      return Object.keys(await noticed(room)).length;
    };
    expect(await reached('ann')).toBe(MAX_OPEN_BROADCAST - 1);
    await addMember(room, ids.dan);
    expect(await reached('ann')).toBe(0);
    await sql`UPDATE members SET role = 'admin' WHERE user_id = ${ids.ann}`;
    await sql`UPDATE users SET role = 'moderator' WHERE id = ${ids.ben}`;
    expect([await reached('ann'), await reached('ben'), await reached('cas')]).toEqual([MAX_OPEN_BROADCAST, MAX_OPEN_BROADCAST, 0]);
  });
});

describe('levels', () => {
  it('all: every message; of a channel before the general one', async () => {
    const room = await newRoom(['ann', 'ben', 'cas', 'dan']);
    await set('ben', { level: 'all' });
    await set('cas', { level: 'all' });
    await setHere(room, 'cas', 'mentions');
    await setHere(room, 'dan', 'all');
    await room.send(ids.ann, 'hello');
    expect(await noticed(room)).toEqual({ ben: ['all'], dan: ['all'] });
  });

  it('none: nothing at all, here or everywhere', async () => {
    const [room, direct] = [await newRoom(), await newRoom(['ann', 'ben'], 'direct')];
    await set('ben', { level: 'none', keywords: ['tea'] });
    await setHere(room, 'cas', 'none');
    for (const one of [room, direct]) await one.send(ids.ann, 'tea, @ben, @cas, @channel');
    expect([await noticed(room), await noticed(direct)]).toEqual([{}, {}]);
    await setHere(direct, 'ben', 'mentions');
    await direct.send(ids.ann, 'hello');
    expect(await noticed(direct)).toEqual({ ben: ['direct'] });
  });

  it('a muted channel lets through what names one; a time that has come mutes nothing', async () => {
    const room = await newRoom(['ann', 'ben', 'cas', 'dan']);
    for (const name of ['ben', 'cas', 'dan'] as const) await set(name, { level: 'all' });
    await setHere(room, 'ben', null, 'infinity');
    await setHere(room, 'cas', null, new Date(Date.now() + 60_000).toISOString());
    await setHere(room, 'dan', null, new Date(Date.now() - 60_000).toISOString());
    await room.send(ids.ann, 'hello @channel');
    await room.send(ids.ann, 'hello @ben');
    expect(await noticed(room)).toEqual({ ben: ['mention'], dan: ['channel_mention', 'all'] });
  });
});

describe('quiet hours', () => {
  it('mark a notice by the moment of its message, however late it is told', async () => {
    const room = await newRoom(['ann', 'ben', 'cas']);
    const now = new Date();
    const minute = now.getUTCHours() * 60 + now.getUTCMinutes();
    const around = (at: number): readonly [number, number, string] => [(at + 1_435) % 1_440, (at + 5) % 1_440, 'UTC'];
    await set('ben', { quiet: around(minute) });
    await set('cas', { quiet: around((minute + 720) % 1_440) });
    await room.send(ids.ann, '@ben @cas', null, null, now);
    await room.send(ids.ann, '@ben @cas', null, null, new Date(now.getTime() - 30 * 60_000));
    expect(await noticed(room)).toEqual({ ben: ['mention, quietly', 'mention'], cas: ['mention', 'mention'] });
  });

  it('of a zone that is gone hold up nobody', async () => {
    const room = await newRoom();
    await set('ben', { quiet: [0, 0, 'Europe/Atlantis'] });
    await room.send(ids.ann, '@ben');
    expect(await noticed(room)).toEqual({ ben: ['mention'] });
  });
});

describe('what is no news', () => {
  it('what was imported, and its edits', async () => {
    const room = await newRoom();
    await set('ben', { level: 'all', keywords: ['tea'] });
    const id = await room.send(ids.ann, 'tea @ben @channel', null, { source: 'irc', author: 'x', sent_at: '2004' });
    await room.edit(ids.ann, id, 'now for @cas', 2);
    expect(await noticed(room)).toEqual({});
  });

  it('what was written long before the group began, also where it is edited now', async () => {
    const room = await newRoom();
    await room.send(ids.ann, '@ben', null, null, new Date(Date.now() - 7_200_000));
    const id = await room.send(ids.ann, 'plain', null, null, new Date(Date.now() - 7_200_000));
    await room.edit(ids.ann, id, '@cas', 2);
    expect(await noticed(room)).toEqual({});
  });
});

describe('an edit', () => {
  it('notifies whom it names, as the message it is of: told again, an inbox knows it', async () => {
    const room = await newRoom();
    await set('cas', { level: 'all', keywords: ['tea'] });
    const id = await room.send(ids.ann, 'plain @ben');
    await noticed(room);
    await room.edit(ids.ann, id, 'tea for @ben, @cas and @channel', 2);
    expect(await noticed(room)).toEqual({ ben: ['mention'], cas: ['mention'] });
    const [sent] = room.events;
    expect(tellings.flatMap(({ notices }) => notices)).toMatchObject([1, 2].map(() => ({ message_id: id, channel_seq: sent?.seq, pos: 1, event_id: room.events.at(-1)?.id })));
  });

  it('of a message that is deleted by now notifies nobody', async () => {
    const room = await newRoom();
    const id = await room.send(ids.ann, 'plain');
    await room.edit(ids.ann, id, '@ben', 2);
    await room.delete({ id, author: ids.ann, thread: null });
    expect(await noticed(room)).toEqual({});
  });
});

it('of one record many times nothing else comes than of it once (G2)', async () => {
  const room = await newRoom();
  await set('cas', { keywords: ['tea'] });
  await room.send(ids.ann, 'tea with @ben');
  const first = await noticed(room);
  const told = tellings;
  expect([await noticed(room, true), tellings]).toEqual([first, told]);
});
