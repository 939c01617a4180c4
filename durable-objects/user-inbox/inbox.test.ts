import { uuidv7 } from 'uuidv7';
import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_UNDRAINED_EVENTS, SOCKET_WINDOW_EVENTS } from '../../protocol/limits.ts';
import type { InboxBadge, InboxNotice, InboxTelling } from '../../protocol/tellings.ts';
import { actorOf, type InboxClient, joined, openInbox } from '../../tests/support/inbox-core.ts';
import { nodeSqlite } from '../../tests/support/node-sqlite.ts';
import { NOW } from '../../tests/support/room-core.ts';
import type { SqlDriver } from '../log/sql-driver.ts';
import type { SocketRecord } from '../sockets/socket-record.ts';
import { KEPT_NOTICES } from './given-notices.ts';
import type { InboxRecord } from './inbox-record.ts';
import type { Inbox } from './inbox.ts';
import { LEASE_MS } from './presence.ts';

const [ALICE, CHANNEL, OTHER] = [uuidv7(), uuidv7(), uuidv7()].toSorted();
const away = (): Promise<never> => Promise.reject(new Error('Postgres is away'));

let sql: SqlDriver;
let now: number;
let timers: { at: number; task: () => void }[];
let counted: InboxBadge[] | null;
let woken: number[];
let inbox: Inbox<InboxClient>;

/** A Postgres that knows one channel of Alice's, and is away for everything else but, where `counted` is set, for counting. */
const record: InboxRecord = {
  readUser: async () => ({
    claimed: { epoch: 1, fence: 1, drained_seq: 0, awake_version: 0, notices_read_seq: 0 },
    channels: [{ channel_id: CHANNEL ?? '', role: 'member', version: 1, read_pos: 0, read_generation: 0, notified_seq: 0 }],
    wish: { choice: 'auto', status: null, version: 0 },
  }),
  findChannel: away,
  wake: async (version) => {
    woken.push(version);
    return counted?.map((one) => ({ user_id: ALICE ?? '', ...one, settings_version: one.settings_version ?? 0, read_generation: one.read_generation ?? 0 })) ?? (await away());
  },
  drainBatch: away, skipPoison: away, findPlace: away, move: away, keepForked: away, eventsBetween: away, poisonBetween: away, logPresence: away,
  isDataFault: () => false,
  rest: () => true,
};

const open = (lastPing?: () => number): Promise<Inbox<InboxClient>> =>
  openInbox(ALICE ?? '', { sql, record, clock: () => now, schedule: (ms, task) => void timers.push({ at: now + ms, task }), ...(lastPing && { lastPing }) });

/** Lets time pass, with the timers that are due in it. */
function pass(ms: number): void {
  const end = now + ms;
  for (let next = due(end); next !== undefined; next = due(end)) {
    now = Math.max(now, next.at);
    next.task();
  }
  now = end;
}

function due(end: number): { at: number; task: () => void } | undefined {
  const [next] = timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at);
  timers = timers.filter((timer) => timer !== next);
  return next;
}

const settled = async (): Promise<void> => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

const tell = (parts: Partial<InboxTelling>) => inbox.tell({ changes: [], notices: [], badges: [], ...parts });
const badge = (parts: Partial<InboxBadge> = {}): InboxBadge & { settings_version: number } => ({
  channel_id: CHANNEL ?? '', role: 'member', version: 1, epoch: 1, as_of_seq: 1, last_pos: 1, read_pos: 0, unread: 1, mentions: 0, ...parts, settings_version: parts.settings_version ?? 0,
});
const notice = (channel_seq: number, parts: Partial<InboxNotice> = {}): InboxNotice => ({
  event_id: uuidv7(), role: 'member', version: 1, reason: 'mention', channel_id: CHANNEL ?? '', message_id: uuidv7(), author_id: uuidv7(), channel_seq, pos: channel_seq, thread_id: null, ...parts,
});
const read = (pos: number, channelId = CHANNEL ?? '') => inbox.read(actorOf(ALICE ?? ''), channelId, pos);
const badgeFrames = (client: InboxClient) => client.frames.filter((frame) => frame.type === 'badges');

beforeEach(async () => {
  [sql, now, timers, counted, woken] = [nodeSqlite(), NOW, [], [], []];
  inbox = await open();
});

describe('a read marker', () => {
  it('moves while Postgres is away, tells every socket, and never goes down (G1)', async () => {
    const [laptop, phone] = [await joined(inbox), await joined(inbox)];
    tell({ badges: [badge({ last_pos: 5, unread: 5, mentions: 2 })] });
    expect([await read(5), await read(3)]).toEqual([{ ok: { read_pos: 5 } }, { ok: { read_pos: 5 } }]);
    pass(200);
    for (const client of [laptop, phone]) {
      expect(client.events).toMatchObject([{ type: 'read.moved', channel_id: CHANNEL, read_pos: 5, seq: 1 }]);
      expect(client.unread).toEqual([]);
    }
  });

  it('is not set back by a count that Postgres made before it had the marker', async () => {
    const client = await joined(inbox);
    await read(4);
    tell({ badges: [badge({ as_of_seq: 4, last_pos: 4, unread: 4 })] });
    pass(200);
    expect(client.unread).toEqual([]);
    tell({ badges: [badge({ as_of_seq: 6, last_pos: 6, unread: 6 })] });
    pass(200);
    expect(client.unread).toEqual([]);
    tell({ badges: [badge({ as_of_seq: 6, last_pos: 6, read_pos: 4, unread: 2 })] });
    pass(200);
    expect(client.unread).toMatchObject([{ read_pos: 4, last_pos: 6, unread: 2 }]);
  });

  it('of a channel that nobody is known to be a member of waits for Postgres (G5)', async () => {
    expect(await read(1, OTHER)).toMatchObject({ problem: { code: 'unavailable' } });
    expect(await inbox.read(actorOf(uuidv7()), CHANNEL ?? '', 1)).toMatchObject({ problem: { code: 'forbidden' } });
  });

  it('is refused where the log holds as much as it may, and so are notices (G8)', async () => {
    for (let pos = 1; pos <= MAX_UNDRAINED_EVENTS; pos++) await read(pos);
    expect(await read(MAX_UNDRAINED_EVENTS + 1)).toMatchObject({ problem: { code: 'room_backlogged', retry_after: 5 } });
    expect(tell({ notices: [notice(1)] })).toEqual({ status: 'backlogged' });
    expect(inbox.seq).toBe(MAX_UNDRAINED_EVENTS);
  });
});

describe('what an inbox is told', () => {
  it('counts once, in whatever order and however often it comes (G2)', async () => {
    const client = await joined(inbox);
    const [first, second] = [notice(3), notice(8)];
    for (const notices of [[first], [first, second], [second], [first]]) tell({ notices });
    tell({ badges: [badge({ as_of_seq: 9, last_pos: 4, unread: 4 })] });
    tell({ badges: [badge({ as_of_seq: 7, last_pos: 3, unread: 3 })] });
    pass(200);
    expect(client.events.map(({ id }) => id)).toEqual([first.event_id, second.event_id]);
    expect(client.unread).toMatchObject([{ last_pos: 4, unread: 4 }]);
  });

  it('one that is late, as a dead letter redriven, is given once all the same (G2)', async () => {
    const client = await joined(inbox);
    const [late, newer] = [notice(5), notice(9)];
    tell({ notices: [newer] });
    tell({ notices: [late] });
    inbox = await open();
    tell({ notices: [late, newer] });
    pass(200);
    expect(client.events.map(({ id }) => id)).toEqual([newer.event_id, late.event_id]);
  });

  it('of a channel are known one by one up to 200; what is older passes for given (G8, G2)', async () => {
    for (let seq = 10; seq < 10 + 2 * KEPT_NOTICES; seq++) tell({ notices: [notice(seq)] });
    const before = inbox.seq;
    tell({ notices: [notice(5), notice(10), notice(9 + KEPT_NOTICES), notice(9 + 2 * KEPT_NOTICES)] });
    expect([before, inbox.seq]).toEqual([2 * KEPT_NOTICES, 2 * KEPT_NOTICES]);
    expect(sql.all('SELECT count(*) AS kept FROM given_notices')).toEqual([{ kept: KEPT_NOTICES }]);
  });

  it('after the channel was left adds nothing; an older joining does not bring it back (G5)', async () => {
    const client = await joined(inbox);
    tell({ badges: [badge({ unread: 1 })] });
    const left = { event_id: uuidv7(), channel_id: CHANNEL ?? '', actor_id: uuidv7(), role: null, version: 9 };
    inbox.applyMemberChange(left);
    inbox.applyMemberChange({ ...left, event_id: uuidv7(), role: 'member', version: 7 });
    tell({ notices: [notice(5)], badges: [badge({ as_of_seq: 5, unread: 5 })] });
    pass(200);
    expect(client.events.map(({ type }) => type)).toEqual(['channel.left']);
    expect(client.unread).toEqual([]);
    expect(await read(1)).toMatchObject({ problem: { code: 'unavailable' } });
  });
});

describe('what one is reading', () => {
  const reply = (channel_seq: number, thread_id: string) => notice(channel_seq, { pos: null, thread_id, reason: 'thread_reply' });
  const seen = (client: InboxClient) => client.events.flatMap((event) => (event.type === 'message.notified' ? [event.channel_seq] : []));
  const say = (client: InboxClient, frame: object) => inbox.message(client, JSON.stringify(frame));

  it('is no news: a message at or below the marker (P54)', async () => {
    const client = await joined(inbox);
    await read(5);
    tell({ notices: [notice(3), notice(5), notice(6), reply(7, uuidv7())] });
    expect(seen(client)).toEqual([6, 7]);
  });

  it('is no news: what a device shows, while its user is active there, and only that (P54)', async () => {
    const [laptop, thread] = [await joined(inbox), uuidv7()];
    await say(laptop, { type: 'viewing', channel_id: CHANNEL });
    tell({ notices: [notice(1), reply(2, thread), notice(3, { channel_id: OTHER ?? '' })] });
    await say(laptop, { type: 'viewing', channel_id: CHANNEL, thread_id: thread });
    tell({ notices: [notice(4), reply(5, thread), reply(6, uuidv7())] });
    await say(laptop, { type: 'activity', state: 'idle' });
    tell({ notices: [notice(7), reply(8, thread)] });
    await say(laptop, { type: 'activity', state: 'active' });
    tell({ notices: [notice(9)] });
    await say(laptop, { type: 'viewing', channel_id: null });
    tell({ notices: [notice(10)] });
    expect(seen(laptop)).toEqual([2, 3, 6, 7, 8, 10]);
  });

  it('stays decided when it is told again, though nobody looks any more (G2, P54)', async () => {
    const [client, unread, shown] = [await joined(inbox), notice(2), notice(1)];
    await say(client, { type: 'viewing', channel_id: CHANNEL });
    tell({ notices: [shown] });
    await say(client, { type: 'viewing', channel_id: null });
    inbox = await open();
    tell({ notices: [shown, unread] });
    expect(sql.all<{ json: string }>('SELECT json FROM events ORDER BY seq').map(({ json }) => JSON.parse(json).id)).toEqual([unread.event_id]);
  });

  it('is known to the next instance, and forgotten with the socket (P54)', async () => {
    const [client, other] = [await joined(inbox), await joined(inbox)];
    await say(client, { type: 'viewing', channel_id: CHANNEL });
    const saved = [client, other].flatMap((one): [InboxClient, SocketRecord][] => (one.record === null ? [] : [[one, one.record]]));
    timers = [];
    inbox = await open();
    inbox.resume(saved);
    tell({ notices: [notice(1)] });
    inbox.left(client);
    tell({ notices: [notice(2)] });
    expect(seen(other)).toEqual([2]);
  });

  it('is believed of a device that is not heard of for one lease, no longer (P54)', async () => {
    let pinged = now;
    inbox = await open(() => pinged);
    const client = await joined(inbox);
    await say(client, { type: 'viewing', channel_id: CHANNEL });
    now += LEASE_MS - 1;
    tell({ notices: [notice(1)] });
    now += 1;
    tell({ notices: [notice(2)] });
    pinged = now;
    tell({ notices: [notice(3)] });
    expect(seen(client)).toEqual([2]);
  });
});

describe('notices that are marked as read', () => {
  const mark = (seq: number | null) => inbox.readNotices(actorOf(ALICE ?? ''), seq);

  it('are so on all devices, never go back, and not beyond what there is', async () => {
    const [laptop, phone] = [await joined(inbox), await joined(inbox)];
    tell({ notices: [notice(1), notice(2)] });
    expect([mark(1), mark(1), mark(0), mark(null), mark(1_000)]).toEqual([1, 1, 1, 3, 4].map((read_seq) => ({ ok: { read_seq } })));
    for (const client of [laptop, phone]) expect(client.events.filter(({ type }) => type === 'notices.read')).toMatchObject([{ read_seq: 1 }, { read_seq: 3 }, { read_seq: 4 }]);
    inbox = await open();
    expect(mark(2)).toEqual({ ok: { read_seq: 4 } });
    expect(inbox.readNotices(actorOf(uuidv7()), null)).toMatchObject({ problem: { code: 'forbidden' } });
  });
});

describe('what the Worker tells of the user\'s own', () => {
  const thread = (read_tpos: number, thread_id = OTHER ?? '') => ({ type: 'thread.read' as const, channel_id: CHANNEL ?? '', thread_id, read_tpos });

  it('is in the log once, in the order of its versions, also over an eviction (G2)', async () => {
    const client = await joined(inbox);
    for (const tpos of [2, 2, 1, 3]) inbox.note(thread(tpos), tpos);
    inbox.note({ type: 'draft.changed', channel_id: CHANNEL ?? '', thread_id: null, version: 1, deleted: false }, 2);
    expect(client.events.map((event) => (event.type === 'thread.read' ? event.read_tpos : event.type))).toEqual([2, 3, 'draft.changed']);
    inbox = await open();
    const { seq } = inbox;
    inbox.note(thread(3), 3);
    expect(inbox.seq).toBe(seq);
  });
});

describe('badges', () => {
  it('that were counted by an older choice of level do not replace newer ones of the same moment', async () => {
    const client = await joined(inbox);
    tell({ badges: [badge({ unread: 2, mentions: 2 })] });
    tell({ badges: [badge({ unread: 2, mentions: 0, settings_version: 1 })] });
    tell({ badges: [badge({ unread: 2, mentions: 2 })] });
    inbox = await open();
    tell({ badges: [badge({ unread: 2, mentions: 2 })] });
    pass(200);
    const again = await joined(inbox);
    expect([client, again].map(({ unread }) => unread)).toMatchObject([[{ mentions: 0 }], [{ mentions: 0 }]]);
  });

  it('come whole after the welcome, then as they change: at once, and then at most ten times a second, the newest of each', async () => {
    tell({ badges: [badge({ unread: 1 })] });
    pass(200);
    const client = await joined(inbox);
    expect(client.frames.map((frame) => frame.type)).toEqual(['welcome', 'badges']);
    expect(badgeFrames(client)).toMatchObject([{ full: true, badges: [{ channel_id: CHANNEL, unread: 1 }] }]);
    for (let seq = 2; seq <= 30; seq++) tell({ badges: [badge({ as_of_seq: seq, last_pos: seq, unread: seq })] });
    expect(badgeFrames(client).at(-1)).toMatchObject({ full: false, badges: [{ unread: 2 }] });
    pass(100);
    expect(badgeFrames(client)).toHaveLength(3);
    expect(client.unread).toMatchObject([{ unread: 30 }]);
    pass(1_000);
    expect(badgeFrames(client)).toHaveLength(3);
  });

  it('that were owed when an instance ended are sent whole by the next', async () => {
    const client = await joined(inbox);
    tell({ badges: [badge({ unread: 1 })] });
    tell({ badges: [badge({ as_of_seq: 2, last_pos: 2, unread: 2 })] });
    const { record: saved } = client;
    timers = [];
    inbox = await open();
    if (saved !== null) inbox.resume([[client, saved]]);
    expect(badgeFrames(client).at(-1)).toMatchObject({ full: true, badges: [{ unread: 2 }] });
  });

  it('are kept from a socket that does not read, and sent whole when it has caught up (G8)', async () => {
    const client = await joined(inbox);
    for (let seq = 1; seq <= SOCKET_WINDOW_EVENTS + 1; seq++) tell({ notices: [notice(seq)] });
    pass(1_000);
    tell({ badges: [badge({ unread: 7 })] });
    pass(1_000);
    expect(client.unread).toEqual([]);
    for (const { to } of client.frames.filter((frame) => frame.type === 'events')) await inbox.message(client, JSON.stringify({ type: 'ack', seq: to }));
    await inbox.message(client, JSON.stringify({ type: 'ack', seq: SOCKET_WINDOW_EVENTS + 1 }));
    expect(badgeFrames(client).at(-1)).toMatchObject({ full: true, badges: [{ unread: 7 }] });
  });
});

describe('an inbox that nobody listens to', () => {
  it('says so after five minutes; its next socket has it told again, and counts all', async () => {
    counted = [badge({ as_of_seq: 3, unread: 3, last_pos: 3 })];
    const client = await joined(inbox);
    await settled();
    pass(200);
    expect([woken, client.unread]).toMatchObject([[1], [{ unread: 3 }]]);
    inbox.left(client);
    pass(299_000);
    expect(tell({ badges: [badge({ as_of_seq: 4, unread: 4, last_pos: 4 })] })).toEqual({ status: 'told' });
    pass(2_000);
    expect(tell({ badges: [] })).toEqual({ status: 'asleep', awake_version: 1 });
    counted = [badge({ as_of_seq: 9, unread: 9, last_pos: 9 })];
    const again = await joined(inbox);
    await settled();
    pass(200);
    expect([woken, again.unread]).toMatchObject([[1, 2], [{ unread: 9 }]]);
  });

  it('asks Postgres nothing when its sockets come back soon, across an eviction too', async () => {
    const client = await joined(inbox);
    await settled();
    inbox.left(client);
    pass(60_000);
    inbox = await open();
    inbox.resume([]);
    await joined(inbox);
    await settled();
    expect(woken).toEqual([1]);
  });

  it('tries again while Postgres is away, and shows what it knows meanwhile', async () => {
    tell({ badges: [badge({ unread: 1 })] });
    counted = null;
    const client = await joined(inbox);
    await settled();
    expect(client.unread).toMatchObject([{ unread: 1 }]);
    counted = [badge({ as_of_seq: 2, unread: 2, last_pos: 2 })];
    pass(7_000);
    await settled();
    pass(200);
    expect([woken, client.unread]).toMatchObject([[1, 2], [{ unread: 2 }]]);
  });
});
